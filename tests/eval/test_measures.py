"""Measures: the conventions that published figures keep, and that other evaluators break."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.errors import EvaluationError
from lsr.eval import DEFAULT_MEASURES, measure_run
from lsr.eval.measures import depth, parse_measures


def _hits(*documents: str) -> list[tuple[str, float]]:
    return [(document, 1.0) for document in documents]


def test_a_query_that_is_absent_from_the_run_counts_as_zero() -> None:
    qrels = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}}
    scores = measure_run({"q1": _hits("a"), "q2": []}, qrels)
    assert scores.mean == {name: pytest.approx(1 / 3) for name in DEFAULT_MEASURES}
    assert scores.per_query["MRR@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}


def test_an_empty_run_measures_zero() -> None:
    assert set(measure_run({}, {"q": {"a": 1}}).mean.values()) == {0.0}


def test_queries_without_judgements_do_not_count() -> None:
    assert measure_run({"q": _hits("a"), "other": _hits("x")}, {"q": {"a": 1}}).mean["nDCG@10"] == 1.0


@pytest.mark.parametrize(("served", "reciprocal"), [(("a", "b"), 1.0), (("b", "a"), 0.5)])
def test_ties_are_measured_in_served_order(served: tuple[str, ...], reciprocal: float) -> None:
    """trec_eval alone would put b first, both times: equal scores fall back to the higher id."""
    scores = measure_run({"q": _hits(*served)}, {"q": {"a": 1}}, ["MRR@10", "P@1", "nDCG@10"])
    assert scores.mean["MRR@10"] == reciprocal
    assert scores.mean["P@1"] == (reciprocal == 1.0)


def test_rising_scores_do_not_change_the_order_either() -> None:
    assert measure_run({"q": [("a", 0.5), ("b", 3.0)]}, {"q": {"a": 1}}).mean["MRR@10"] == 1.0


def test_grades_count_linearly() -> None:
    """nDCG of trec_eval: gain = grade (not 2^grade - 1), discount log2(rank + 1)."""
    gained = 1 / math.log2(2) + 3 / math.log2(3)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    found = measure_run({"q": _hits("low", "high")}, {"q": {"low": 1, "high": 3}}).mean["nDCG@10"]
    assert found == pytest.approx(gained / ideal)


def test_judged_documents_that_nobody_can_find_stay_in_the_denominator() -> None:
    scores = measure_run({"q": _hits("a")}, {"q": {"a": 1, "not-in-the-corpus": 1}})
    assert scores.mean["R@100"] == 0.5


def test_a_query_with_only_zero_grades_counts_as_zero() -> None:
    scores = measure_run({"q": _hits("a"), "p": _hits("b")}, {"q": {"a": 0}, "p": {"b": 1}})
    assert scores.mean == dict.fromkeys(DEFAULT_MEASURES, 0.5)


def test_hits_below_the_cutoff_do_not_count() -> None:
    served = [f"x{i}" for i in range(10)] + ["a"]
    scores = measure_run({"q": _hits(*served)}, {"q": {"a": 1}}, ["MRR@10", "MRR@11", "MRR"])
    assert scores.mean == {"MRR@10": 0.0, "MRR@11": pytest.approx(1 / 11), "MRR": pytest.approx(1 / 11)}


def test_more_hits_than_float32_has_scores_for_keep_their_order() -> None:
    """Order must survive trec_eval's 32-bit scores however close the engine's scores are."""
    served = [(f"d{i}", 1000.0 + 1e-9 * (200 - i)) for i in range(200)]
    assert measure_run({"q": served}, {"q": {"d0": 1}}).mean["MRR@10"] == 1.0


def test_names_stay_as_they_were_asked() -> None:
    scores = measure_run({"q": _hits("a")}, {"q": {"a": 1}}, ["MRR@10", "RR@10", "MAP", "AP@5", "P(rel=2)@5"])
    assert list(scores.mean) == ["MRR@10", "RR@10", "MAP", "AP@5", "P(rel=2)@5"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nDGC@10", r"no measure 'nDGC@10'\. Did you mean nDCG"),
        ("nDCG@", "cannot be read"),
        ("nDCG@ten", "cannot be read"),
        ("P", "cannot be read"),
        ("nDCG@2.5", "cannot be read"),
        ("nDCG(x=1)@10", "cannot be read"),
        ("", "cannot be read"),
        ("nDCG@0", "the cutoff 0, it must be 1 or more"),
        ("R@True", "the cutoff True"),
        ("P(rel=0)@10", "the rel 0"),
        ("alpha_nDCG@10", "cannot be calculated"),
    ],
)
def test_a_bad_measure_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        measure_run({"q": _hits("a")}, {"q": {"a": 1}}, [name])


def test_no_measure_and_no_judgement_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no measure"):
        measure_run({}, {"q": {"a": 1}}, [])
    with pytest.raises(EvaluationError, match="no judgements"):
        measure_run({"q": _hits("a")}, {})


def test_a_document_twice_is_refused() -> None:
    with pytest.raises(EvaluationError, match="twice for the query 'q'"):
        measure_run({"q": _hits("a", "a")}, {"q": {"a": 1}})


@pytest.mark.parametrize(
    ("names", "hits"), [(["nDCG@10"], 100), (["nDCG@10", "R@1000"], 1000), (["MAP"], 1000), (["MAP", "R@2000"], 2000)]
)
def test_depth_is_what_the_measures_need(names: list[str], hits: int) -> None:
    assert depth(parse_measures(names)) == hits


def _expected(served: list[str], judged: dict[str, int]) -> dict[str, float]:
    """The three default measures of one query, from their definitions."""
    gains = [judged.get(document, 0) for document in served]
    ideal = sorted(judged.values(), reverse=True)[:10]
    best = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(ideal, 1))
    relevant = sum(grade > 0 for grade in judged.values())
    return {
        "nDCG@10": sum(g / math.log2(rank + 1) for rank, g in enumerate(gains[:10], 1)) / best if best else 0.0,
        "R@100": sum(gain > 0 for gain in gains[:100]) / relevant if relevant else 0.0,
        "MRR@10": next((1 / rank for rank, gain in enumerate(gains[:10], 1) if gain), 0.0),
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_the_measures_are_their_definitions(seed: int, queries: int) -> None:
    generator = random.Random(seed)
    pool = [f"d{i}" for i in range(150)]
    qrels = {f"q{i}": {d: generator.randrange(4) for d in generator.sample(pool, 20)} for i in range(queries)}
    served = {query: generator.sample(pool, generator.randrange(131)) for query in qrels}
    scores = measure_run({query: _hits(*documents) for query, documents in served.items()}, qrels)
    expected = {query: _expected(served[query], qrels[query]) for query in qrels}
    for name in DEFAULT_MEASURES:
        assert scores.per_query[name] == pytest.approx({query: row[name] for query, row in expected.items()})
        assert scores.mean[name] == pytest.approx(sum(row[name] for row in expected.values()) / queries)
