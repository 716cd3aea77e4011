"""Comparisons: which sets an average takes, which tests a family holds, what is folded and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eval_help import record

from lsr.errors import EvaluationError
from lsr.eval.averages import averages_of
from lsr.eval.collections.known import AVERAGES, BEIR
from lsr.eval.comparison import Comparison
from lsr.eval.published import read_published
from lsr.eval.significance import holm

PUBLISHED = Path(__file__).parents[2] / "eval" / "published" / "beir.yaml"


def _values(seed: int, shift: float = 0.0, queries: int = 120) -> list[float]:
    generator = np.random.default_rng(seed)
    base = generator.beta(2, 2, queries)
    noise = np.random.default_rng(seed + 1000).normal(shift, 0.05, queries)
    return [float(value) for value in np.clip(base + (noise if shift else 0), 0, 1)]


def test_a_better_system_is_marked_and_an_equal_one_is_not() -> None:
    comparison = Comparison(
        [
            record("base", "s", _values(1)),
            record("better", "s", _values(1, 0.04)),
            record("same", "s", _values(1)),
        ],
        resamples=999,
    )
    found = {difference.system: difference for difference in comparison.differences}
    assert found["better"].significant()
    assert found["better"].test.difference > 0
    assert not found["same"].significant()
    assert (found["same"].t_holm, found["same"].permutation_holm) == (1.0, 1.0)


def test_holm_spans_systems_and_sets_of_one_measure() -> None:
    records = [
        record(system, name, _values(seed, shift))
        for seed, name in enumerate(("s1", "s2", "s3"))
        for system, shift in (("base", 0.0), ("one", 0.004), ("two", 0.01))
    ]
    comparison = Comparison(records, resamples=499)
    assert len(comparison.differences) == 6
    raw = {(d.set, d.system): d.test.t_p for d in comparison.differences}
    assert {(d.set, d.system): d.t_holm for d in comparison.differences} == pytest.approx(holm(raw))


def test_all_pairs_or_the_baseline_only() -> None:
    records = [record(system, "s", _values(seed)) for seed, system in enumerate("abc")]
    assert Comparison(records).pairs == [("b", "a"), ("c", "a")]
    assert Comparison(records, baseline="b").pairs == [("a", "b"), ("c", "b")]
    assert Comparison(records, all_pairs=True).pairs == [("b", "a"), ("c", "a"), ("c", "b")]


def test_queries_that_differ_most_come_with_their_texts() -> None:
    one = record("one", "s", {"a": 1.0, "b": 0.5, "c": 0.0}, texts={"a": "about a"})
    two = record("two", "s", {"a": 0.0, "b": 0.5, "c": 0.2}, texts={"c": "about c"})
    found = Comparison([one, two]).query_differences("s", "two", "nDCG@10")
    assert [(f.query, f.text, f.difference) for f in found] == [("a", "about a", -1.0), ("c", "about c", 0.2)]


def test_a_system_that_is_missing_on_a_set_leaves_a_gap_and_no_average() -> None:
    comparison = Comparison(
        [record("a", "s1", [0.1, 0.3]), record("a", "s2", [0.2, 0.3]), record("b", "s1", [0.5, 0.3])]
    )
    assert comparison.value("s2", "b", "nDCG@10") is None
    assert comparison.averages("nDCG@10") == []  # one set in common
    assert [d.set for d in comparison.differences] == ["s1"]


def test_the_average_over_what_all_have_names_its_sets() -> None:
    records = [record(system, name, [0.2, 0.4]) for system in "ab" for name in ("s1", "s2")]
    (average,) = Comparison(records).averages("nDCG@10")
    assert average.name == "mean of 2 sets (s1, s2)"
    assert average.values == {"a": pytest.approx(0.3), "b": pytest.approx(0.3)}


def test_known_averages_have_the_members_that_publications_take() -> None:
    sizes = {name.split(" ")[0]: len(members) for name, members in AVERAGES.items()}
    assert sizes == {"BEIR-13": 13, "BEIR-14": 14, "BEIR-15": 15, "BEIR-18": 18}
    assert "msmarco" not in AVERAGES["BEIR-18 (all but MS MARCO)"]
    assert sum(len(known.parts) for known in BEIR.values()) == 12


@pytest.mark.parametrize(
    ("column", "measure", "average", "expected"),
    [
        ("bm25-flat", "nDCG@10", "BEIR-13", 0.4370),
        ("bm25-multifield", "nDCG@10", "BEIR-18", 0.4288),
        ("splade-pp-ed", "nDCG@10", "BEIR-14", 0.4931),
        ("splade-v3", "nDCG@10", "BEIR-13", 0.5181),
        ("opensearch-doc-v2-distill", "nDCG@10", "BEIR-13", 0.504),
        ("opensearch-doc-v3-gte", "nDCG@10", "BEIR-13", 0.546),
        ("bm25-flat", "R@100", "BEIR-18", 0.5863),
        ("splade-v3", "R@100", "BEIR-14", 0.6720),
    ],
)
def test_our_averages_of_published_figures_are_the_published_averages(
    column: str, measure: str, average: str, expected: float
) -> None:
    (found,) = [one for one in read_published(PUBLISHED, [column]) if one.measure == measure]
    (members,) = [members for name, members in AVERAGES.items() if name.startswith(average)]
    assert found.mean(members) == pytest.approx(expected, abs=0.0006)  # they print three or four digits
    averages = averages_of({column: found.values}, list(found.values))
    assert [a.values[column] for a in averages if a.name.startswith(average)] == [pytest.approx(found.mean(members))]


def test_cqadupstack_is_the_mean_of_twelve_counted_once() -> None:
    parts = BEIR["cqadupstack"].parts
    # The first forum has many queries and the others few: a mean over queries would be another figure.
    records = [
        record("a", f"cqadupstack/{part}", [number / 12] * (100 if number == 0 else 2))
        for number, part in enumerate(parts)
    ]
    comparison = Comparison([*records, record("a", "scifact", [0.5, 0.5])])
    assert comparison.sets == ["cqadupstack", "scifact"]
    value = comparison.value("cqadupstack", "a", "nDCG@10")
    assert value == pytest.approx(sum(range(12)) / 144)
    assert comparison.averages("nDCG@10")[0].values["a"] == pytest.approx((sum(range(12)) / 144 + 0.5) / 2)
    assert comparison.records["cqadupstack", "a"].queries == 122


def test_some_of_its_forums_are_no_cqadupstack() -> None:
    comparison = Comparison(
        [record("a", "cqadupstack/android", [0.1, 0.2]), record("a", "cqadupstack/tex", [0.3, 0.2])]
    )
    assert comparison.sets == ["cqadupstack/android", "cqadupstack/tex"]
    assert comparison.notes == ("a was run on 2 of the 12 parts of cqadupstack: it is in no average",)


def test_frames_for_notebooks() -> None:
    comparison = Comparison([record("a", "s", [0.1, 0.3]), record("b", "s", [0.2, 0.4])], resamples=99)
    frame = comparison.to_frame()
    assert frame[["set", "system", "queries"]].values.tolist() == [["s", "a", 2], ["s", "b", 2]]
    per_query = comparison.per_query_frame()
    assert list(per_query.columns) == ["set", "query", "a", "b"]
    assert per_query["b"].tolist() == [0.2, 0.4]
    assert comparison.differences_frame()["difference"].tolist() == [pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("records", "arguments", "message"),
    [
        ([], {}, "no run to compare"),
        ([record("a", "s", [0.1]), record("a", "s", [0.1])], {}, "'a' is there twice on s"),
        ([record("a", "s", [0.1])], {"baseline": "b"}, "baseline 'b' is not among"),
        ([record("a", "s", [0.1])], {"measures": ["AP"]}, "was not measured by AP"),
        ([record("a", "s", [0.1]), record("b", "s", [0.1], measure="AP")], {}, "no measure in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(records: list, arguments: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(EvaluationError, match=message):
        Comparison(records, **arguments)


def test_systems_that_were_measured_over_different_queries_are_not_compared() -> None:
    """The trap of evaluators that average over the queries of the run."""
    comparison = Comparison([record("a", "s", {"q1": 1.0, "q2": 0.0}), record("b", "s", {"q1": 1.0, "q3": 0.5})])
    with pytest.raises(EvaluationError, match=r"different queries \(2 differ, first: 'q2'\)"):
        assert comparison.differences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "holds no published figures"),
        ("a: {figures: {}}\n", "column a: KeyError"),
        ("a: {source: x, figures: {nDCG@10: {s: high}}}\n", "column a: ValueError"),
        ("a: [", "is not YAML"),
    ],
)
def test_published_figures_of_another_shape_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        read_published(tmp_path / "p.yaml")


def test_an_unknown_column_suggests_the_nearest() -> None:
    with pytest.raises(EvaluationError, match="Did you mean splade-v3"):
        read_published(PUBLISHED, ["splade-3"])
