"""Ablations: what is run, that it is run once, and what is said of the difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_help import TEACHERS, write_recipe

from lsr.errors import RecipeError
from lsr.eval.significance import paired_test
from lsr.training.ablation.matched import measure_at_terms
from lsr.training.ablation.plan import Job, Plan, Variant, jobs, read_plan
from lsr.training.ablation.report import as_markdown, compare
from lsr.training.ablation.results import Result, result
from lsr.training.ablation.running import SAID, gather_for, run_jobs, unfinished
from lsr.training.run import train

DOOR = Path(__file__).parents[2] / "training" / "ablations.py"

PLAN = """
recipe = "recipe.toml"
output = "runs"
seeds = [1, 2]
documents = {documents}
set = ["run.log_steps=1", "regularizers.flops.weight=0.002"]

[[variants]]
name = "base"

[[variants]]
name = "binary"
what = "no idf"
set = ['idf.table="none"']
"""


def write_plan(folder: Path, *, more: str = "", documents: int = 32) -> Path:
    """A plan of two variants and two seeds in a small world, two steps each."""
    write_recipe(
        folder,
        steps=100,
        loss="kl",
        sampling="mined_negatives = 1",
        data="[data.pseudo]\nper_document = 0.2",
        more=TEACHERS + '\n[[mining]]\nby = "body"\nlast = 4\n',
    )
    path = folder / "plan.toml"
    path.write_text(PLAN.format(documents=documents) + more)
    return path


def test_runs_are_variants_times_seeds_with_equal_budgets(tmp_path: Path) -> None:
    more = '[[variants]]\nname = "no-hard"\nset = ["mining=[]", "optimizer.accumulation=2"]\n'
    found = jobs(read_plan(write_plan(tmp_path, more=more, documents=3200)))
    assert [job.name for job in found] == ["base-1", "binary-1", "no-hard-1", "base-2", "binary-2", "no-hard-2"]
    for job in found:
        recipe = job.recipe
        assert recipe.run.seed == job.seed
        assert recipe.data_seed == 3  # the recipe's own: all hold out the same
        assert job.output == tmp_path / "runs" / job.name
        assert recipe.optimizer.steps * recipe.batch_documents * recipe.optimizer.accumulation == 3200
        assert recipe.regularizers["flops"]["weight"] == 0.002
    assert [job.recipe.idf.table for job in found[:2]] == ["data", "none"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "binary"', 'name = "base"', "all of one name"),
        ('name = "binary"', 'name = "../x"', "letters, digits"),
        ("seeds = [1, 2]", "seeds = []", "one at least"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "each once"),
        ("seeds =", "seed =", "unknown key 'seed'"),
        ("idf.table", "idf.tabel", "unknown key 'tabel'"),
        ("'idf.table=\"none\"'", "'run.seed=3'", "variant binary sets run.seed"),
        ("'idf.table=\"none\"'", "'optimizer.steps=3'", "variant binary sets optimizer.steps"),
        ("'idf.table=\"none\"'", "'data.holdout=0'", "variant binary holds out no queries"),
    ],
)
def test_plans_that_cannot_be_followed_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write_plan(tmp_path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(RecipeError) as error:
        jobs(read_plan(path))
    assert said in str(error.value)


def test_the_projects_plan_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSR_MODELS", "/models")
    plan = read_plan(DOOR.with_suffix(".toml"))
    found = {job.variant.name: job.recipe for job in jobs(plan)}
    assert next(iter(found)) == "base"
    (documents,) = {recipe.optimizer.steps * recipe.batch_documents for recipe in found.values()}
    assert documents == pytest.approx(plan.documents, abs=768)
    assert {(r.controller.terms_least, r.controller.terms, r.controller.flops) for r in found.values()} == {
        (90.0, 100.0, 0.0)
    }
    assert {
        name: [t.weight for t in recipe.teachers] for name, recipe in found.items() if name in ("dense", "bm25")
    } == {
        "dense": [1.0, 0.5, 0.0],
        "bm25": [0.0, 0.0, 0.75],
    }
    assert found["sparse"].teachers[3].name == "splade-tiny"


def door(plan: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(DOOR), str(plan), "--device", "cpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=environment)


@pytest.mark.slow
def test_two_variants_of_two_seeds_are_run_once_and_compared(tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    done = door(plan, "--prepare")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cache").glob("data-*"))) == 1
    (tmp_path / "pairs.jsonl").unlink()  # what runs share is all that they need
    table = tmp_path / "table.md"
    done = door(plan, "--minutes", "0")
    assert "the time is over: 4 runs are not begun" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["variants"] == {}
    done = door(plan, "--at-once", "2", "--to", str(table))
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert list(figures["variants"]) == ["base", "binary"]
    binary = figures["variants"]["binary"]
    assert binary["seeds"] == [1, 2]
    assert set(binary["mean"]) == {"mrr", "recall", "terms", "flops", "ubiquitous", "kl"}
    difference = binary["mean"]["mrr"] - figures["variants"]["base"]["mean"]["mrr"]
    assert binary["test"]["difference"] == pytest.approx(difference)
    assert 0 <= binary["test"]["permutation_p"] <= 1
    assert table.read_text() in done.stdout
    assert "| binary | 2 |" in table.read_text()
    assert len(list((tmp_path / "cache").glob("data-*"))) == 1
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/model")}
    assert len(models) == 4
    again = door(plan, "--to", str(table))
    assert "4 runs, 0 to do" in again.stderr
    assert json.loads(again.stdout.splitlines()[-1]) == figures
    assert {path: path.stat().st_mtime_ns for path in models} == models
    least = min(row["mean"]["terms"] for row in figures["variants"].values())
    wanted = round(least / 2)
    equal = door(plan, "--at-terms", str(wanted))
    assert equal.returncode == 0, equal.stderr
    for row in json.loads(equal.stdout.splitlines()[-1])["variants"].values():
        assert row["mean"]["terms"] == pytest.approx(wanted, abs=0.1)
    assert json.loads(door(plan, "--report").stdout.splitlines()[-1]) == figures
    dense = door(plan, "--at-terms", "100000", "--variants", "base")
    assert dense.returncode == 1
    assert "base-2: held-out documents have" in dense.stderr
    assert "are asked for" in json.loads(dense.stdout.splitlines()[-1])["missing"]["base-1"]
    assert "terms is -1.0" in door(plan, "--at-terms", "-1").stderr
    plan.write_text(plan.read_text().replace("weight=0.002", "weight=0.003"))
    assert "holds a run of another recipe or seed" in door(plan).stderr


@pytest.mark.slow
def test_a_run_that_fails_holds_up_no_other_and_says_why(tmp_path: Path) -> None:
    path = write_plan(tmp_path, documents=16, more='[[variants]]\nname = "lost"\nset = ["student.checkpoint=\'no\'"]\n')
    todo = jobs(read_plan(path))[:3]
    gather_for(tmp_path / "recipe.toml", todo[:2], lambda line: None)
    ended: list[int] = []
    failed = run_jobs(
        tmp_path / "recipe.toml",
        todo[::-1],
        say=lambda line: None,
        device="cpu",
        after_each=lambda: ended.append(len(unfinished(todo))),
    )
    assert list(failed) == ["lost-1"]
    assert "has no tokenizer.json" in failed["lost-1"]
    assert ended == [3, 2, 1]
    assert "held out: mrr" in (todo[0].output / SAID).read_text()


def test_no_run_begins_when_the_time_is_over(tmp_path: Path) -> None:
    todo = jobs(read_plan(write_plan(tmp_path)))
    said: list[str] = []
    assert run_jobs(tmp_path / "recipe.toml", todo, say=said.append, deadline=time.monotonic() - 1) == {}
    assert said == ["the time is over: 4 runs are not begun"]
    assert unfinished(todo) == todo


def test_a_run_is_done_when_it_left_its_model(tmp_path: Path) -> None:
    (job,) = jobs(read_plan(write_plan(tmp_path)))[:1]
    assert result(job) is None
    train(tmp_path / "recipe.toml", say=lambda line: None, overrides=job.overrides, device="cpu", stop_after=1)
    assert result(job) is None
    trained = train(tmp_path / "recipe.toml", say=lambda line: None, overrides=job.overrides, device="cpu")
    found = result(job)
    assert found is not None
    assert found.figures["mrr"] == trained.figures["heldout_mrr"]
    assert found.figures["kl"] > 0
    assert found.reciprocal.mean() == pytest.approx(found.figures["mrr"])
    # At the terms that it has, a run measures as it did.
    terms = found.figures["terms"]
    measure_at_terms(job, tmp_path / "recipe.toml", terms, device="cpu", say=lambda line: None)
    same = result(job, terms)
    assert same is not None
    assert {**same.figures, "flops": 0} == pytest.approx({**found.figures, "flops": 0})
    np.testing.assert_allclose(same.reciprocal, found.reciprocal)


def made(plan: Plan, variant: int, seed: int, reciprocal: Any, pool: str = "data") -> Result:
    values = np.array(reciprocal, np.float64)
    job = Job(plan.variants[variant], seed, {}, None)  # type: ignore[arg-type]
    return Result(job, {"mrr": float(values.mean()), "terms": 70.0 + seed}, (pool, (1, 2), 9), values)


def test_variants_are_tested_over_the_mean_of_common_seeds(tmp_path: Path) -> None:
    variants = tuple(Variant(name, set=("a.b=1",)) for name in ("base", "better", "other-data", "none"))
    plan = Plan(tmp_path / "r.toml", tmp_path, variants, (1, 2, 3), documents=1000)
    rng = np.random.default_rng(0)
    base = [rng.random(40) for _ in range(3)]
    better = [row + 0.1 + 0.01 * rng.random(40) for row in base]
    found = [made(plan, 0, seed + 1, row) for seed, row in enumerate(base)]
    found += [made(plan, 1, seed + 1, row) for seed, row in enumerate(better[:2])]
    found += [made(plan, 2, 1, base[0], pool="elsewhere")]
    rows = compare(plan, found)
    assert [(row.variant.name, row.seeds) for row in rows] == [
        ("base", (1, 2, 3)),
        ("better", (1, 2)),
        ("other-data", (1,)),
    ]
    assert rows[1].test == paired_test(np.mean(better[:2], axis=0), np.mean(base[:2], axis=0))
    assert rows[1].p is not None
    assert rows[1].p < 0.01
    assert rows[0].test is rows[2].test is None  # queries of other data cannot be paired
    assert rows[0].mean["terms"] == 72.0
    assert rows[0].deviation["terms"] == pytest.approx(1.0)
    assert rows[2].deviation["terms"] is None
    table = as_markdown(plan, rows, {"none-1": "not run"})
    assert "| other-data | 1 |" in table
    assert "72.0 ± 1.0" in table
    assert "Not in the table: none-1 (not run)." in table
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_domains_count_alike_whatever_their_queries(tmp_path: Path) -> None:
    (job,) = jobs(read_plan(write_plan(tmp_path)))[:1]
    (job.output / "model").mkdir(parents=True)
    (job.output / "model" / "config.json").write_text("{}")
    (job.output / "log.jsonl").write_text('{"step": 1, "loss_kl": 0.5}\n{"step": 2, "loss": 1.0}\n')
    record: dict[str, Any] = {
        "data": "k",
        "query": [1, 2, 3],
        "domain": ["a", "b", "a"],
        "reciprocal_rank": [1.0, 0.5, 0.0],
    }
    record |= {"heldout_mrr": 0.5, "heldout_documents": 9}
    (job.output / "heldout.json").write_text(json.dumps(record))
    found = result(job)
    assert found is not None
    assert found.reciprocal == pytest.approx([0.75, 0.75, 0.0])
    assert found.figures == {"mrr": 0.5, "kl": 0.5}
