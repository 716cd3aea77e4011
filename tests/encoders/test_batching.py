"""Batches by length: what goes in comes back in its order, within budgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsr.encoders.batching import batches_by_length, encode_in_batches
from lsr.errors import InvalidSettingError
from lsr.vectors import SparseVectors

DIM = 50


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 100), st.integers(1, 8))
def test_every_text_once_longest_first_within_the_budget(lengths: list[int], budget: int, row_limit: int) -> None:
    batches = list(batches_by_length(lengths, budget, row_limit))
    places = [place for batch in batches for place in batch]
    assert sorted(places) == [place for place, length in enumerate(lengths) if length]
    assert [lengths[place] for place in places] == sorted((length for length in lengths if length), reverse=True)
    for batch in batches:
        assert len(batch) <= row_limit
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= budget


@pytest.mark.parametrize(("budget", "row_limit"), [(0, 1), (1, 0)])
def test_batches_that_hold_nothing(budget: int, row_limit: int) -> None:
    with pytest.raises(InvalidSettingError, match="holds nothing"):
        list(batches_by_length([1], budget, row_limit))


def bag(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
    """A stand-in for a model: how often each id stands at a real position."""
    return SparseVectors.from_dicts(
        [
            dict(zip(*np.unique(row[real == 1], return_counts=True), strict=True))
            for row, real in zip(ids, mask, strict=True)
        ],
        DIM,
    )


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, DIM - 1), max_size=9), max_size=12), st.integers(1, 40), st.integers(1, 3))
def test_rows_come_back_in_order(inputs: list[list[int]], budget: int, threads: int) -> None:
    found = encode_in_batches(inputs, bag, dim=DIM, pad_id=0, budget=budget, row_limit=4, threads=threads)
    expected = [{term: row.count(term) for term in sorted(row)} for row in inputs]
    assert found == SparseVectors.from_dicts(expected, DIM)


def test_an_error_of_the_model_comes_out() -> None:
    def broken(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
        raise MemoryError("model")

    for threads in (1, 2):
        with pytest.raises(MemoryError, match="model"):
            encode_in_batches([[1], [2], [3]], broken, dim=DIM, pad_id=0, budget=1, threads=threads)
