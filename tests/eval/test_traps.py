"""The traps of evaluation, one test each: what other evaluators get wrong on these inputs, and what we get.

And agreement with ir_measures' command line and pytrec_eval, from our run files, on real judged collections.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytrec_eval
from tiny_collection import write_collection

from lsr.eval import evaluate_encoder, load_collection, measure_run, read_run, write_run
from lsr.eval.collections import BeirFolder, Collection
from lsr.eval.evaluate import evaluate_system
from lsr.eval.systems import RunSystem


def _trec_qrels(collection: Collection, path: Path) -> Path:
    rows = [f"{q} 0 {d} {g}\n" for q, row in collection.qrels.items() for d, g in row.items()]
    path.write_text("".join(rows))
    return path


def _ir_measures(qrels: Path, run: Path, measures: list[str]) -> dict[str, float]:
    """What `ir_measures QRELS RUN MEASURE…` prints, with all its digits."""
    command = [sys.executable, "-W", "ignore", "-m", "ir_measures", str(qrels), str(run), *measures, "--places", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    return {line.split("\t")[0]: float(line.split("\t")[1]) for line in done.stdout.splitlines()}


@pytest.mark.parametrize("name", ["adi", "med", "cranfield"])
def test_figures_agree_with_the_command_line_of_ir_measures(
    name: str, beir: Callable[[str], Path], tmp_path: Path
) -> None:
    collection = load_collection(beir(name))
    ours = {"nDCG@10": "nDCG@10", "R@100": "R@100", "R@1000": "R@1000", "MRR@10": "RR@10", "MAP": "AP"}
    result = evaluate_encoder("bm25", collection, measures=list(ours))
    result.write_run(tmp_path / "run.trec")
    qrels = _trec_qrels(collection, tmp_path / "qrels.txt")
    theirs = _ir_measures(qrels, tmp_path / "run.trec", list(ours.values()))
    for mine, other in ours.items():
        assert result.measures[mine] == pytest.approx(theirs[other], abs=1e-6), mine


@pytest.mark.parametrize("name", ["adi", "med"])
def test_every_query_agrees_with_pytrec_eval(name: str, beir: Callable[[str], Path], tmp_path: Path) -> None:
    collection = load_collection(beir(name))
    names = {"nDCG@10": "ndcg_cut_10", "R@100": "recall_100", "MAP": "map"}
    result = evaluate_encoder("bm25", collection, measures=list(names))
    result.write_run(tmp_path / "run.trec")
    run = {query: dict(hits) for query, hits in read_run(tmp_path / "run.trec").items()}
    theirs = pytrec_eval.RelevanceEvaluator(collection.qrels, {"ndcg_cut.10", "recall.100", "map"}).evaluate(run)
    for mine, other in names.items():
        for query in collection.qrels:
            assert result.per_query[mine][query] == pytest.approx(theirs.get(query, {other: 0.0})[other], abs=1e-6)


def test_absent_queries_stay_in_the_denominator(tmp_path: Path) -> None:
    """pytrec_eval, and beir 2.2 over it, average over the queries that the run has: 1.0 here."""
    qrels = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}}
    run = {"q1": [("a", 1.0)]}
    raw = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate({"q1": {"a": 1.0}})
    assert [row["ndcg_cut_10"] for row in raw.values()] == [1.0]
    assert measure_run(run, qrels).mean["nDCG@10"] == pytest.approx(1 / 3)


def test_a_present_and_an_absent_query_without_hits_are_the_same() -> None:
    qrels = {"q1": {"a": 1}, "q2": {"b": 1}}
    assert measure_run({"q1": [("a", 1.0)], "q2": []}, qrels) == measure_run({"q1": [("a", 1.0)]}, qrels)


def test_self_matches_go_without_costing_a_rank_and_without_touching_the_run(tmp_path: Path) -> None:
    """beir drops them from the caller's own results; others keep them, or lose one hit of k."""
    corpus = {f"a{i}": f"argument {i}" for i in range(5)}
    folder = write_collection(tmp_path / "arguana", corpus, {"a0": corpus["a0"]}, {"a0": {"a1": 1}})
    served = {"a0": [("a0", 9.0), ("a1", 5.0), ("a2", 4.0)]}
    write_run(tmp_path / "r.trec", served)
    system = RunSystem(tmp_path / "r.trec")
    before = copy.deepcopy(system.run)
    result = evaluate_system(system, load_collection(folder))
    assert result.measures["MRR@10"] == 1.0
    assert system.run == before


def test_self_matches_are_a_property_of_the_set(tmp_path: Path) -> None:
    """On where queries are documents; off where 7 and 7 are equal by accident."""
    for name, drops in (("arguana", True), ("quora", True), ("cranfield", False)):
        assert BeirFolder(write_collection(tmp_path / name)).drop_self_matches is drops


def test_ties_are_measured_as_served_by_us_and_from_our_file_by_everybody(tmp_path: Path) -> None:
    """trec_eval would put b before a."""
    qrels = {"q": {"a": 1, "b": 0}}
    run = {"q": [("a", 1.0), ("b", 1.0)]}
    assert measure_run(run, qrels, ["MRR@10"]).mean["MRR@10"] == 1.0
    write_run(tmp_path / "r.trec", run)
    (tmp_path / "qrels").write_text("q 0 a 1\nq 0 b 0\n")
    assert _ir_measures(tmp_path / "qrels", tmp_path / "r.trec", ["RR@10"]) == {"RR@10": 1.0}
    raw = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate({"q": {"a": 1.0, "b": 1.0}})
    assert raw["q"]["recip_rank"] == 0.5


def test_grades_are_not_flattened(tmp_path: Path) -> None:
    """Evaluators with sets of relevant documents cannot tell these two runs apart."""
    qrels = {"q": {"good": 3, "fair": 1}}
    best = measure_run({"q": [("good", 2.0), ("fair", 1.0)]}, qrels).mean["nDCG@10"]
    other = measure_run({"q": [("fair", 2.0), ("good", 1.0)]}, qrels).mean["nDCG@10"]
    assert best == 1.0
    assert other < 0.9


def test_judgements_of_unknown_documents_stay_in_the_denominator_and_are_told(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c", qrels={"q3": {"d5": 1, "nowhere": 1}})
    result = evaluate_encoder("bm25", load_collection(folder))
    assert result.measures["R@100"] == 0.5
    assert "judged documents are not in the index (first: 'nowhere')" in result.warnings[0]


def test_capped_recall_is_asked_for_by_name_and_is_another_figure() -> None:
    """TREC-COVID: more are relevant than are retrieved, so plain recall cannot reach 1."""
    qrels = {"q": {f"d{i}": 1 for i in range(50)}, "few": {"d1": 1, "d2": 2}, "none": {"d1": 0}}
    run = {"q": [(f"d{i}", 100.0 - i) for i in range(20)], "few": [("d1", 1.0)]}
    scores = measure_run(run, qrels, ["R@10", "R_cap@10", "R_cap(rel=2)@10"])
    assert scores.per_query["R@10"] == {"q": pytest.approx(0.2), "few": 0.5, "none": 0.0}
    assert scores.per_query["R_cap@10"] == {"q": pytest.approx(1.0), "few": 0.5, "none": 0.0}
    assert scores.per_query["R_cap(rel=2)@10"] == {"q": 0.0, "few": 0.0, "none": 0.0}
    assert scores.mean["R_cap@10"] == pytest.approx(0.5)
