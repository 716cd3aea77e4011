"""The loops of building, under the same rules as kernels.py; apart from it so that a search need not load them."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_i8 = types.Array(types.int64, 1, "C", readonly=True)
_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8_out = types.Array(types.int64, 1, "C")
_u1_out = types.Array(types.uint8, 1, "C")
_u2_out = types.Array(types.uint16, 1, "C")


@njit(types.void(_u4, types.int64, types.int64, _i8_out), cache=True, nogil=True)
def count_terms(numbers: np.ndarray, low: int, high: int, counts: np.ndarray) -> None:
    """Add to `counts[t]` how often term number t stands in `numbers[low:high]`."""
    for p in range(low, high):
        counts[numbers[p]] += 1


@njit(types.void(_i8, _u4, _u1, types.int64, types.int64, _i8_out, _u2_out, _u1_out, _u1_out), cache=True, nogil=True)
def place_postings(
    indptr: np.ndarray,
    numbers: np.ndarray,
    row_impacts: np.ndarray,
    first: int,
    last: int,
    cursor: np.ndarray,
    docs: np.ndarray,
    impacts: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """Counting sort of the rows from `first` to `last`, one superblock, into lists.

    `cursor[t]` enters as the start of term number t's list and leaves as its end; `peaks[t]` rises to its greatest
    impact.
    """
    for row in range(first, last):
        for p in range(indptr[row], indptr[row + 1]):
            number = numbers[p]
            place = cursor[number]
            docs[place] = row - first
            impacts[place] = row_impacts[p]
            peaks[number] = max(peaks[number], row_impacts[p])
            cursor[number] = place + 1
