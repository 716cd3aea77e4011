"""The recipe for a CPU, shortened, with the commands that stand at its head."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from encoder_checkpoints import torch_twin
from typer.testing import CliRunner

from lsr.cli.__main__ import app
from lsr.training.run import train

RECIPE = Path(__file__).parents[2] / "training" / "recipes" / "scifact-cpu.toml"


@pytest.mark.slow
def test_the_recipe_for_a_cpu_runs_as_it_says(
    tmp_path: Path, beir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"LSR_DATA": beir("scifact").parents[1], "LSR_MODELS": tmp_path, "LSR_RUNS": tmp_path / "runs"}
    folders["LSR_RUNS"].mkdir()
    torch_twin(tmp_path / "splade-tiny")
    text = RECIPE.read_text()
    mine = next(line for line in text.splitlines() if line.startswith("#   lsr mine "))
    for name, folder in folders.items():
        monkeypatch.setenv(name, str(folder))
        mine = mine.replace(f"${name}", str(folder))
    done = CliRunner().invoke(app, shlex.split(mine)[2:])
    assert done.exit_code == 0, done.output
    assert "919 rows, 18,380 negatives of 5,183 documents" in done.stdout
    short = tmp_path / "short.toml"
    for old, new in (
        ("steps = 200\nlearning", "steps = 2\nlearning"),
        ("log_steps = 25", "log_steps = 1"),
        ("holdout = 100", "holdout = 8"),
    ):
        assert old in text
        text = text.replace(old, new)
    short.write_text(text)
    said: list[str] = []
    trained = train(short, say=said.append, device="cpu")
    assert any("scifact: 919 rows, 914 kept, 2 judged" in line for line in said)
    assert trained.figures["heldout_mrr"] > 0.5
