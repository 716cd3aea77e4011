"""The loops of ordering_quality.py, under the same rules as kernels.py."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types

_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8 = types.Array(types.int64, 1, "C", readonly=True)
_f4 = types.Array(types.float32, 1, "C", readonly=True)
_u4_out = types.Array(types.uint32, 1, "C")
_i8_out = types.Array(types.int64, 1, "C")


@njit(types.float64(_i8, _u4, _i8, _i8_out), cache=True, nogil=True)
def sum_log_gaps(indptr: np.ndarray, terms: np.ndarray, order: np.ndarray, last: np.ndarray) -> float:
    """Σ log2 of the gaps between the places of each term's documents, the first counted from −1. `last`: all −1."""
    bits = 0.0
    for place in range(len(order)):
        row = order[place]
        for p in range(indptr[row], indptr[row + 1]):
            bits += math.log2(place - last[terms[p]])
            last[terms[p]] = place
    return bits


@njit(
    types.Tuple((types.float64, types.int64))(  # type: ignore[no-untyped-call]
        _i8, _u4, _f4, _i8, types.int64, types.Array(types.float32, 1, "C"), _u4_out
    ),
    cache=True,
    nogil=True,
)
def sum_block_maxima(
    indptr: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    order: np.ndarray,
    block: int,
    best: np.ndarray,
    touched: np.ndarray,
) -> tuple[float, int]:
    """Σ over blocks and terms of the greatest weight in the block, and how many such maxima there are.

    `best` (a term) is all 0 before and after; `touched` has room for the distinct terms.
    """
    total = 0.0
    cells = 0
    for first in range(0, len(order), block):
        count = 0
        for row in order[first : first + block]:
            for p in range(indptr[row], indptr[row + 1]):
                t = terms[p]
                if best[t] == 0:
                    touched[count] = t
                    count += 1
                best[t] = max(best[t], weights[p])
        for i in range(count):
            total += best[touched[i]]
            best[touched[i]] = 0
        cells += count
    return total, cells
