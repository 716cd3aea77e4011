"""A run's folder: whose it is, what a kill leaves in it, and what is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_help import log_of, write_recipe

from lsr.encoders.new_folder import new_folder
from lsr.errors import CorruptionError, RecipeError, TrainingError
from lsr.training.claim import RUN
from lsr.training.log import LOG
from lsr.training.run import train


def silent(line: str) -> None:
    """What a run says is not looked at."""


def test_a_recipe_is_corrected_in_its_folder_until_something_is_trained(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=2)
    with pytest.raises(TrainingError, match=r"none\.json does not exist"):
        train(path, say=silent, overrides={"idf.table": "none.json"})
    assert (tmp_path / "run" / RUN).is_file()
    train(path, say=silent)
    with pytest.raises(RecipeError, match="another recipe"):
        train(path, say=silent, overrides={"idf.table": "none"})


@pytest.mark.parametrize("name", ["checkpoint-500", "model"])
def test_what_is_no_runs_is_not_touched(tmp_path: Path, name: str) -> None:
    """A run removes unfinished checkpoints and replaces its model."""
    kept = tmp_path / "run" / name / "weights"
    kept.parent.mkdir(parents=True)
    kept.write_text("of somebody else")
    with pytest.raises(RecipeError, match=f"has a {name} that is not of a run"):
        train(write_recipe(tmp_path), say=silent)
    assert kept.read_text() == "of somebody else"
    assert not (tmp_path / "run" / RUN).exists()


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"run\.output .* cannot be made"):
        train(write_recipe(tmp_path), say=silent, overrides={"run.output": "pairs.jsonl"})


def test_the_log_has_each_step_once_after_a_kill(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=6, save_steps=2)
    train(path, say=silent, stop_after=2)
    with (tmp_path / "run" / LOG).open("a") as file:  # further than the checkpoint, the last line torn
        file.write('{"step": 3, "objective": 9.0}\n{"step": 4, "obj')
    train(path, say=silent)
    rows = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows if "objective" in row] == [1, 2, 3, 4, 5, 6]
    assert log_of(tmp_path / "run")[3] < 9


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=4, save_steps=2)
    train(path, say=silent, stop_after=2)
    weights = tmp_path / "run" / "checkpoint-2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CorruptionError, match=r"checkpoint-2/model\.safetensors"):
        train(path, say=silent)


def test_a_model_is_replaced_whole_and_others_may_read_it(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=2)
    model = train(path, say=silent).model
    (model / "of-before").write_text("")
    train(path, say=silent)
    assert not (model / "of-before").exists()
    assert model.stat().st_mode == (tmp_path / "run").stat().st_mode
    with pytest.raises(KeyboardInterrupt), new_folder(model, replace=True) as made:
        (made / "config.json").write_text("{")
        raise KeyboardInterrupt
    assert json.loads((model / "config.json").read_text())
    assert not [found for found in (tmp_path / "run").iterdir() if found.name.startswith(".model")]
