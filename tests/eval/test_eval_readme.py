"""What eval/README.md shows runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "eval" / "README.md").read_text()


def test_the_worked_example(tmp_path: Path, beir: Callable[[str], Path]) -> None:
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    code = example.replace("path/to/scifact", str(beir("adi"))).replace('"scifact"', '"adi"')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "splade-tiny-doc nDCG@10 " in done.stdout
    assert "terms_per_document" in done.stdout
    assert "<svg" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("name", re.findall(r"\]\(([a-zA-Z0-9_./-]+)\)", README))
def test_links_lead_somewhere(name: str) -> None:
    assert (ROOT / "eval" / name).exists()
