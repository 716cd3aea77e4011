"""Evaluation on judged collections while training: through our index, and never on test queries unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_help import write_recipe

from lsr.errors import EvaluationError, RecipeError
from lsr.eval.collections.beir import BeirFolder
from lsr.eval.evaluate import evaluate_encoder
from lsr.training.run import dry_run, train

THINGS = ["moon", "sea", "tide", "bread", "ice", "year", "bridge"]


def collection(folder: Path, splits: tuple[str, ...] = ("dev",)) -> Path:
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "title": "", "text": f"the {a} and the {b}"} for n, (a, b) in enumerate(
        (a, b) for a in THINGS for b in THINGS if a != b
    )]  # fmt: skip
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    queries = [{"_id": f"q{n}", "text": f"{thing} of the year"} for n, thing in enumerate(THINGS[:4])]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = "query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\td{n * 6}\t1\n" for n in range(4))
    for split in splits:
        (folder / "qrels" / f"{split}.tsv").write_text(judged)
    return folder


def evaluate(settings: str) -> str:
    return f'[evaluate]\njudged = ["set"]\nmax_length = 24\nmeasures = ["nDCG@10", "R@10"]\n{settings}'


def rows(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_figures_are_those_of_lsr_eval_and_stand_in_log_and_card(tmp_path: Path) -> None:
    collection(tmp_path / "set")
    said: list[str] = []
    path = write_recipe(tmp_path, steps=4, log_steps=1, more=evaluate("steps = 2"))
    trained = train(path, say=said.append, device="cpu")
    names = ["judged_set_nDCG@10", "judged_set_R@10", "judged_set_terms"]
    found = {row["step"]: [row[name] for name in names] for row in rows(tmp_path / "run") if names[0] in row}
    assert list(found) == [2, 4]
    expected = evaluate_encoder(
        str(trained.model), BeirFolder(tmp_path / "set", split="dev"), settings={"max_length": 24}, measures=["nDCG@10"]
    )
    assert found[4][0] == pytest.approx(expected.measures["nDCG@10"], abs=1e-5)
    assert trained.figures["judged_set_nDCG@10"] == pytest.approx(found[4][0], abs=1e-5)
    assert any("set nDCG@10" in line for line in said)
    card = (trained.model / "README.md").read_text()
    assert "## Judged collections (split `dev`)" in card
    assert "| set nDCG@10 |" in card


def test_evaluating_changes_nothing_of_the_training(tmp_path: Path) -> None:
    weights = []
    for name, more in (("plain", ""), ("watched", evaluate("steps = 1"))):
        folder = tmp_path / name
        collection(folder / "set")
        trained = train(write_recipe(folder, steps=3, more=more), say=lambda line: None, device="cpu")
        weights.append((trained.model / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_what_is_evaluated_may_change_when_a_run_goes_on(tmp_path: Path) -> None:
    collection(tmp_path / "set")
    train(write_recipe(tmp_path, steps=4), say=lambda line: None, device="cpu", stop_after=2)
    train(write_recipe(tmp_path, steps=4, more=evaluate("steps = 4")), say=lambda line: None, device="cpu")
    assert "judged_set_R@10" in rows(tmp_path / "run")[-1] or "judged_set_R@10" in rows(tmp_path / "run")[-2]


def test_test_queries_are_refused_unless_they_are_for_the_record(tmp_path: Path) -> None:
    collection(tmp_path / "set", ("test", "train"))
    path = write_recipe(tmp_path, more=evaluate('split = "test"'))
    with pytest.raises(RecipeError, match="nothing may be chosen by other queries"):
        train(path, say=lambda line: None, device="cpu")
    path = write_recipe(tmp_path, steps=1, more=evaluate('split = "test"\non_test = true'))
    said: list[str] = []
    trained = train(path, say=said.append, device="cpu")
    assert any("choose nothing by them" in line for line in said)
    assert "test queries: for the record" in (trained.model / "README.md").read_text()


def test_queries_that_are_trained_on_are_told(tmp_path: Path) -> None:
    collection(tmp_path / "set", ("train",))
    more = evaluate('split = "train"') + '\n[[data.sources]]\npath = "beir:set"\n'
    said: list[str] = []
    train(write_recipe(tmp_path, steps=1, more=more), say=said.append, device="cpu")
    assert any("the train queries of set are trained on too" in line for line in said)


def test_a_dry_run_evaluates_nothing(tmp_path: Path) -> None:
    dry_run(write_recipe(tmp_path, more=evaluate("")), say=lambda line: None)


def test_collections_and_settings_that_are_wrong_are_named_before_training(tmp_path: Path) -> None:
    collection(tmp_path / "set", ("train",))
    for settings, kind, said in (
        ("", RecipeError, r"evaluate\.judged: .*dev\.tsv"),
        ('split = "train"\nsteps = 3', RecipeError, r"multiple of run\.log_steps, 2"),
        ('split = "train"\nquery_idf = "best"', RecipeError, r"evaluate\.query_idf is 'best'"),
    ):
        path = write_recipe(tmp_path, log_steps=2, more=evaluate(settings))
        with pytest.raises(kind, match=said):
            train(path, say=lambda line: None, device="cpu")
    path = write_recipe(tmp_path, more=evaluate('split = "train"').replace("R@10", "R@@10"))
    with pytest.raises(EvaluationError, match="R@@10"):
        train(path, say=lambda line: None, device="cpu")
    assert not list((tmp_path / "run").glob("checkpoint-*"))
