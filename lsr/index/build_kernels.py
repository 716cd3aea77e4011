"""The loops of building, under the same rules as kernels.py; apart from it so that a search need not load them."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from lsr.index.layout import SUPERBLOCK

_i8 = types.Array(types.int64, 1, "C", readonly=True)
_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8_out = types.Array(types.int64, 1, "C")
_u1_out = types.Array(types.uint8, 1, "C")
_u2_out = types.Array(types.uint16, 1, "C")


@njit(types.void(_i8, _u4, types.int64, _i8_out), cache=True, nogil=True)
def count_postings(indptr: np.ndarray, terms: np.ndarray, n_terms: int, counts: np.ndarray) -> None:
    """Add to `counts[s * n_terms + t]` the documents of superblock s that hold term number t."""
    for row in range(len(indptr) - 1):
        first = (row // SUPERBLOCK) * n_terms
        for p in range(indptr[row], indptr[row + 1]):
            counts[first + terms[p]] += 1


@njit(types.void(_i8, _u4, _u1, types.int64, _i8_out, _u2_out, _u1_out, _u1_out), cache=True, nogil=True)
def place_postings(
    indptr: np.ndarray,
    terms: np.ndarray,
    row_impacts: np.ndarray,
    n_terms: int,
    cursor: np.ndarray,
    docs: np.ndarray,
    impacts: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """Counting sort of rows into lists: `cursor` enters as each list's start and leaves as its end."""
    for row in range(len(indptr) - 1):
        first = (row // SUPERBLOCK) * n_terms
        local = np.uint16(row % SUPERBLOCK)
        for p in range(indptr[row], indptr[row + 1]):
            slot = first + terms[p]
            place = cursor[slot]
            docs[place] = local
            impacts[place] = row_impacts[p]
            peaks[slot] = max(peaks[slot], row_impacts[p])
            cursor[slot] = place + 1
