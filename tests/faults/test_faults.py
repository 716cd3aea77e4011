"""The short form of every fault; `make faults` is the full one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from faults.__main__ import FAULTS, table


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, tmp_path: Path) -> None:
    """In a process of its own: faults fork, and this one has the threads of whatever ran before."""
    command = [
        sys.executable,
        str(Path(__file__).parent),
        "--quick",
        "--only",
        name,
        "--to",
        str(tmp_path / "table.md"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    if reason := figures[name].get("skipped"):
        pytest.skip(str(reason))
    assert FAULTS[name][1] in table(figures, quick=True)
    assert FAULTS[name][1] in (tmp_path / "table.md").read_text()
