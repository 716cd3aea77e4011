from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.index.quantize import (
    QUERY_LEVELS,
    impact_ceiling,
    quantize_impacts,
    quantize_query,
)

weights_of_a_query = st.lists(st.floats(2**-10, 1000.0, width=32), min_size=1, max_size=80)


@given(st.floats(1e-30, 1e30))
def test_ceiling_is_the_least_of_its_grid_above(weight: float) -> None:
    ceiling = impact_ceiling(weight)
    assert weight <= ceiling < weight * 2 ** (1 / 8) * (1 + 1e-12)
    assert impact_ceiling(ceiling) == ceiling


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_no_ceiling_of_nonsense(weight: float) -> None:
    with pytest.raises(ValueError, match="finite and above 0"):
        impact_ceiling(weight)


@given(st.lists(st.floats(2**-20, 1.0, width=32), max_size=50), st.floats(1.0, 9.0))
def test_impacts_are_within_half_a_step_and_never_zero(weights: list[float], ceiling: float) -> None:
    array = np.array(weights, np.float32)
    impacts = quantize_impacts(array, ceiling)
    step = ceiling / 255
    assert (impacts >= 1).all()
    assert (np.abs(impacts * step - array) <= step * np.where(array < step / 2, 1.0, 0.5001)).all()


def test_a_weight_beyond_the_ceiling_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds the ceiling"):
        quantize_impacts(np.array([1.5], np.float32), 1.0)


@given(weights_of_a_query)
def test_query_integers_approximate_the_weights(weights: list[float]) -> None:
    array = np.array(weights, np.float32)
    integers, scale = quantize_query(array)
    assert integers.min() >= 1
    assert integers.max() <= QUERY_LEVELS
    large = array >= scale / 2
    assert (np.abs(integers * scale - array)[large] <= 0.5001 * scale).all()


def test_an_empty_query_has_no_integers() -> None:
    integers, scale = quantize_query(np.zeros(0, np.float32))
    assert len(integers) == 0
    assert scale == 1.0
