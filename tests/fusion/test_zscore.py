"""Fusion of scores in standard deviations: against the plain sum, what it must not depend on, and its edges."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.errors import InvalidSettingError
from lsr.fusion import zscore_fusion

Leg = list[tuple[str, float]]

LEG = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(-5, 5)), max_size=8, unique_by=lambda hit: hit[0]
).map(lambda hits: sorted(hits, key=lambda hit: -hit[1]))
LEGS = st.lists(LEG, min_size=1, max_size=3)


@given(LEGS, st.integers(1, 8), st.data())
def test_it_is_the_sum_of_the_formula(legs: list[Leg], depth: int, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(legs), max_size=len(legs)))
    found = zscore_fusion(legs, weights, depth=depth)
    expected: dict[str, float] = {}
    for leg, weight in zip(legs, weights, strict=True):
        kept = dict(leg[:depth])
        for document, score in kept.items():
            spread = statistics.pstdev(kept.values())
            value = (score - min(kept.values())) / spread if spread else 1.0
            expected[document] = expected.get(document, 0.0) + weight / sum(weights) * value
    assert dict(found) == pytest.approx(expected)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= 0 for score in scores)


@given(LEGS, st.sampled_from([0.25, 8.0, 2.0**600, 2.0**-600]), st.sampled_from([0.0, 64.0]), st.integers(0, 2))
def test_a_leg_in_other_units_gives_the_same(legs: list[Leg], unit: float, shift: float, which: int) -> None:
    which %= len(legs)
    shift = shift if unit in (0.25, 8.0) else 0.0  # else nothing would be left of one of the two
    moved = [[(d, s * unit + shift) for d, s in leg] if n == which else leg for n, leg in enumerate(legs)]
    first, second = zscore_fusion(legs), zscore_fusion(moved)
    assert [document for document, _ in first] == [document for document, _ in second]
    assert dict(first) == pytest.approx(dict(second))


@given(LEGS, st.integers(1, 8))
def test_names_of_documents_do_not_matter(legs: list[Leg], depth: int) -> None:
    names = dict(zip("abcdefgh", "hcfagbed", strict=True))
    other = zscore_fusion([[(names[d], s) for d, s in leg] for leg in legs], depth=depth)
    assert other == [(names[d], s) for d, s in zscore_fusion(legs, depth=depth)]


@given(LEG, st.integers(1, 8))
def test_one_leg_keeps_its_order_through_ties(leg: Leg, depth: int) -> None:
    assert [document for document, _ in zscore_fusion([leg], depth=depth)] == [d for d, _ in leg[:depth]]


def test_a_leg_whose_best_stand_out_counts_more() -> None:
    sure = [("a", 10.0), ("b", 1.0), *((f"s{n}", 1.0 - n / 100) for n in range(1, 9))]
    unsure = [("b", 10.0), ("a", 8.0), *((f"u{n}", 9.0 - n) for n in range(2, 10))]
    assert [document for document, _ in zscore_fusion([unsure, sure])][:2] == ["a", "b"]


def test_equal_sums_go_by_the_best_rank_then_by_the_leg() -> None:
    first, second = [("x", 1.0), ("low", 0.0)], [("a", 1.0), ("low2", 0.0)]
    assert [document for document, _ in zscore_fusion([first, second])] == ["x", "a", "low", "low2"]


def test_a_leg_of_weight_0_adds_nothing_and_an_empty_one_is_none() -> None:
    ((document, score),) = zscore_fusion([[("a", 1.0)], [("b", 9.0)], []], [2, 0, 1])
    assert document == "a"
    assert score == pytest.approx(2 / 3)
    assert zscore_fusion([[], []]) == []


def test_scores_as_far_apart_as_floats_go() -> None:
    found = dict(zscore_fusion([[("a", 1.7e308), ("b", 0.0), ("c", -1.7e308)]]))
    assert found == pytest.approx({"a": math.sqrt(6), "b": math.sqrt(1.5), "c": 0})
    found = dict(zscore_fusion([[("a", 5e-324), ("b", 0.0)]]))
    assert found == pytest.approx({"a": 2, "b": 0})


@pytest.mark.parametrize(
    ("legs", "settings", "said"),
    [
        ([], {}, "no leg"),
        ([[("a", 1.0)]], {"weights": [1, 2]}, "2 weights for 1 legs"),
        ([[("a", 1.0)]], {"weights": [0]}, "not all 0"),
        ([[("a", 1.0)]], {"weights": [-1]}, "0 or more"),
        ([[("a", 1.0)]], {"weights": [math.inf]}, "not all 0"),
        ([[("a", 1.0)]], {"depth": 0}, "depth is 0"),
        ([[("a", 1.0), ("a", 0.5)]], {}, "twice"),
        ([[("a", math.nan)]], {}, "not finite"),
        ([[("a", math.inf), ("b", 0.0)]], {}, "not finite"),
    ],
)
def test_what_cannot_be_fused_is_refused(legs: list[Leg], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettingError, match=said):
        zscore_fusion(legs, **settings)
