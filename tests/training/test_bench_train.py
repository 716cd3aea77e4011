"""The training benchmark: its contenders train alike, and it ends with one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOOR = Path(__file__).parents[2] / "training" / "bench_train.py"


@pytest.mark.slow
def test_the_fused_and_the_naive_head_have_the_same_losses(tmp_path: Path) -> None:
    command = [sys.executable, str(DOOR), "--quick", "--contenders", "lsr", "lsr naive head"]
    done = subprocess.run(
        [*command, "--to", str(tmp_path / "table.md")], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    fused, naive = figures["lsr"], figures["lsr naive head"]
    for name in ("first_loss", "last_loss"):
        assert fused[name] == pytest.approx(naive[name], rel=1e-4)
    assert fused["last_loss"] < fused["first_loss"]
    assert (tmp_path / "table.md").read_text() in done.stdout
    assert "| lsr naive head |" in done.stdout
