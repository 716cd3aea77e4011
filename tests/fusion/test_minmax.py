"""Min-max fusion against the plain sum, and its edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.errors import InvalidSettingError
from lsr.fusion import minmax_fusion

LEG = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(-5, 5)), max_size=8, unique_by=lambda hit: hit[0]
).map(lambda hits: sorted(hits, key=lambda hit: -hit[1]))


@given(st.lists(LEG, min_size=1, max_size=3), st.integers(1, 8), st.data())
def test_it_is_the_sum_of_the_formula(legs: list[list[tuple[str, float]]], depth: int, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(legs), max_size=len(legs)))
    found = minmax_fusion(legs, weights, depth=depth)
    expected: dict[str, float] = {}
    for leg, weight in zip(legs, weights, strict=True):
        kept = dict(leg[:depth])
        for document, score in kept.items():
            low, high = min(kept.values()), max(kept.values())
            value = 1.0 if low == high else (score - low) / (high - low)
            expected[document] = expected.get(document, 0.0) + weight / sum(weights) * value
    assert dict(found) == pytest.approx(expected)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


def test_one_leg_keeps_its_order_through_ties() -> None:
    leg = [("z", 2.0), ("a", 2.0), ("m", 1.0), ("b", 1.0)]
    assert [document for document, _ in minmax_fusion([leg])] == ["z", "a", "m", "b"]


def test_equal_sums_go_by_the_best_rank_then_by_the_leg() -> None:
    first, second = [("x", 1.0), ("low", 0.0)], [("a", 1.0), ("low2", 0.0)]
    assert [document for document, _ in minmax_fusion([first, second])] == ["x", "a", "low", "low2"]


def test_a_leg_of_weight_0_adds_nothing_and_an_empty_one_is_none() -> None:
    ((document, score),) = minmax_fusion([[("a", 1.0)], [("b", 9.0)], []], [2, 0, 1])
    assert document == "a"
    assert score == pytest.approx(2 / 3)
    assert minmax_fusion([[], []]) == []


@pytest.mark.parametrize(
    ("legs", "settings", "said"),
    [
        ([], {}, "no leg"),
        ([[("a", 1.0)]], {"weights": [1, 2]}, "2 weights for 1 legs"),
        ([[("a", 1.0)]], {"weights": [0]}, "not all 0"),
        ([[("a", 1.0)]], {"weights": [-1]}, "0 or more"),
        ([[("a", 1.0)]], {"depth": 0}, "depth is 0"),
        ([[("a", 1.0), ("a", 0.5)]], {}, "twice"),
        ([[("a", math.nan)]], {}, "not finite"),
    ],
)
def test_what_cannot_be_fused_is_refused(legs: list[list[tuple[str, float]]], settings: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidSettingError, match=said):
        minmax_fusion(legs, **settings)
