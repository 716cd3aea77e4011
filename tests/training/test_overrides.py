"""Values that go before a recipe's: they are checked like its own, and a run says which they were."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_help import TEACHERS, write_recipe

from lsr.errors import RecipeError
from lsr.training.claim import RUN
from lsr.training.gather import gather
from lsr.training.overrides import overridden, parse_overrides, recipe_text, spelled, to_toml
from lsr.training.recipe import read_recipe
from lsr.training.run import dry_run, train

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.toml"))


def silent(line: str) -> None:
    """What a run says is not looked at."""


def test_values_are_toml() -> None:
    settings = ['idf.table="a=b"', "optimizer.steps = 1_000", "x.y={a = [1, 2.5], b = true}", "optimizer.steps=7"]
    found = parse_overrides(settings)
    assert found == {"idf.table": "a=b", "x.y": {"a": [1, 2.5], "b": True}, "optimizer.steps": 7}
    assert parse_overrides(spelled(found)) == found


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("optimizer.steps", "sets nothing"),
        ("=3", "sets nothing"),
        ("optimizer..steps=3", "sets nothing"),
        ("idf.table=none", 'Strings stand in quotes: idf.table="none"'),
        ("optimizer.steps=", "not TOML"),
        ("optimizer.steps=3\nb=4", "more than one value"),
    ],
)
def test_what_is_no_setting_is_named(setting: str, said: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse_overrides([setting])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("optimizer.stepz=3", "unknown key 'stepz'"),
        ("optimiser.steps=3", "Did you mean 'optimizer'?"),
        ("optimizer.steps=0", "optimizer.steps is 0, it must be 1 or more"),
        ("optimizer.steps=true", "must be a whole number"),
        ("optimizer.steps.more=1", "optimizer.steps is 6, no table"),
        ("teachers.body.weight=1", "teachers is a list of 2"),
        ("teachers.3.weight=1", "teachers.2 adds one"),
        ("teachers.0.weight=-1", "teachers.weight is -1"),
        ("losses.kl2.weight=1", "losses.kl2 is unknown"),
        ("data.seed=-1", "data.seed is -1"),
    ],
)
def test_what_a_recipe_does_not_have_cannot_be_set(tmp_path: Path, setting: str, said: str) -> None:
    for folder in ("student", "teacher"):  # not looked at here
        (tmp_path / folder).mkdir()
    path = write_recipe(tmp_path, more=TEACHERS)
    with pytest.raises(RecipeError) as error:
        read_recipe(path, parse_overrides([setting]))
    assert said in str(error.value)


def test_lists_and_tables_that_are_new(tmp_path: Path) -> None:
    table = {"teachers": [{"name": "a", "weight": 1.0}], "optimizer": {"steps": 1}}
    settings = ["teachers.0.weight=0", 'teachers.1={name="b"}', "teachers.2.weight=3", "idf.power=0.5", "optimizer={}"]
    found = overridden(table, parse_overrides(settings))
    assert found == {
        "teachers": [{"name": "a", "weight": 0}, {"name": "b"}, {"weight": 3}],
        "optimizer": {},
        "idf": {"power": 0.5},
    }
    assert table == {"teachers": [{"name": "a", "weight": 1.0}], "optimizer": {"steps": 1}}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_what_is_written_reads_back_as_it_was(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    assert tomllib.loads(to_toml(table)) == table
    assert recipe_text(path) == path.read_text()


def test_odd_values_read_back_too() -> None:
    table: dict[str, Any] = {
        "a b": 'q"\\\n\x7f\x00ü',
        "empty": {},
        "none": [],
        "mixed": [1, {"a": 1}, [{"b": []}]],
        "t": {"list": [{"x": {"y": 1}}, {}], "after": {"z": float("inf")}, "plain": -1e-30},
    }
    assert tomllib.loads(to_toml(table)) == table


def test_a_run_says_what_was_overridden(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=6)
    overrides = parse_overrides(["optimizer.steps=2", "regularizers.flops.weight=0.002", 'run.output="other"'])
    trained = train(path, say=silent, overrides=overrides, device="cpu")
    assert trained.model == tmp_path / "other" / "model"
    record = json.loads((tmp_path / "other" / RUN).read_text())
    assert record["overrides"] == overrides
    assert record["recipe"]["optimizer"]["steps"] == 2
    text = (trained.model / "recipe.toml").read_text()
    assert text.startswith("# recipe.toml with\n#   optimizer.steps=2\n")
    (tmp_path / "again.toml").write_text(text)
    assert read_recipe(tmp_path / "again.toml") == read_recipe(path, overrides)
    card = (trained.model / "README.md").read_text()
    assert "- differs from its recipe by `optimizer.steps=2`, `regularizers.flops.weight=0.002`, `run.output=" in card
    with pytest.raises(RecipeError, match="another recipe or seed"):
        train(path, say=silent, overrides={**overrides, "optimizer.steps": 3}, device="cpu")
    with pytest.raises(RecipeError, match="another recipe or seed"):
        train(path, say=silent, overrides={**overrides, "run.seed": 4}, device="cpu")


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=4)
    train(path, say=silent, device="cpu", stop_after=2)
    file = tmp_path / "run" / RUN
    record = json.loads(file.read_text())
    del record["overrides"], record["recipe"]["data"]["seed"], record["recipe"]["controller"]["terms_least"]
    del record["recipe"]["idf"]["matching"]
    file.write_text(json.dumps(record))
    said: list[str] = []
    train(path, say=said.append, device="cpu")
    assert any(line.startswith("resuming from") for line in said)


def test_a_dry_run_takes_them_too(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="unknown key 'stepz'"):
        dry_run(write_recipe(tmp_path), say=silent, overrides={"optimizer.stepz": 1})


def test_seeds_share_their_data_where_it_has_its_own(tmp_path: Path) -> None:
    """What is held out, and the pool it is ranked in, are the data's; batches and their order are the run's."""
    path = write_recipe(tmp_path, steps=1, data="[data.pseudo]\nper_document = 0.5")
    found = {}
    for data, run in ((None, 3), (3, 3), (3, 4), (5, 3)):
        overrides: dict[str, Any] = {"run.seed": run} | ({} if data is None else {"data.seed": data})
        recipe = read_recipe(path, overrides)
        found[data, run] = gather(recipe, path, silent)[0]
    assert found[None, 3].folder == found[3, 3].folder == found[3, 4].folder != found[5, 3].folder
    assert not np.array_equal(found[3, 3].held_out, found[5, 3].held_out)
    records = []
    for run in (3, 4):
        overrides = {"run.seed": run, "data.seed": 3, "run.output": f"run{run}"}
        trained = train(path, say=silent, overrides=overrides, device="cpu")
        records.append(json.loads((tmp_path / f"run{run}" / "heldout.json").read_text()))
        assert records[-1]["heldout_mrr"] == trained.figures["heldout_mrr"]
        assert np.mean(records[-1]["reciprocal_rank"]) == pytest.approx(trained.figures["heldout_mrr"])
    for name in ("data", "query", "domain", "heldout_documents"):
        assert records[0][name] == records[1][name]


def test_a_teacher_of_no_weight_only_mines(tmp_path: Path) -> None:
    mining = '\n[[mining]]\nby = "body"\nlast = 4\n'
    logs = []
    for name, teachers in (("none", 'teachers=[{kind="bm25",name="bm25"}]'), ("zero", "teachers.0.weight=0")):
        folder = tmp_path / name
        folder.mkdir()
        path = write_recipe(folder, steps=2, loss="kl", sampling="mined_negatives = 0", more=TEACHERS + mining)
        overrides = parse_overrides([teachers, "mining=[]"] if name == "none" else [teachers])
        train(path, say=silent, overrides=overrides, device="cpu")
        rows = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
        logs.append([row["loss_kl"] for row in rows if "loss_kl" in row])
    assert logs[0] == pytest.approx(logs[1])
