"""`lsr train` as its users meet it."""

from __future__ import annotations

from pathlib import Path

from cli_help import lsr, process, refused
from training_help import write_recipe


def test_train_prints_the_folder_of_the_model_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=2)
    done = process("train", path, "--device", "cpu")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(tmp_path / "run" / "model")
    said = done.stderr.decode()
    assert "data: pairs: 120 rows" in said
    assert "step 2: loss" in said
    assert "Traceback" not in said


def test_a_dry_run_names_the_bad_row(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write('{"query": "moon", "pos": ""}\n')
    said = refused("train", path, "--dry-run")
    assert f"{tmp_path / 'pairs.jsonl'}, line 121: pos is ''" in said
    assert not (tmp_path / "run").exists()


def test_recipes_and_devices_that_are_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in refused("train", tmp_path / "none.toml")
    assert "--device is 'tpu'" in refused("train", write_recipe(tmp_path), "--device", "tpu")


def test_a_setting_goes_before_the_recipe(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    output = tmp_path / "elsewhere"
    done = process("train", path, "--device", "cpu", "--set", "optimizer.steps=1", "--set", f'run.output="{output}"')
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(output / "model")
    assert "steps = 1\n" in (output / "model" / "recipe.toml").read_text()
    said = refused("train", path, "--set", "optimizer.stepz=1")
    assert "optimizer.stepz=1" in said
    assert "Did you mean 'steps'?" in said
    assert "Strings stand in quotes" in refused("train", path, "--set", "idf.table=none")


def test_help_says_what_it_does() -> None:
    outcome = lsr("train", "--help")
    assert outcome.code == 0
    assert "goes on where a run was interrupted" in " ".join(outcome.out.split())
