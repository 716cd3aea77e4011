"""The loops of finding a query's lists, and of planning how a segment is gone about. The same rules as in kernels.py.

`locate` checks the directory term by term, so that no other loop ever reads outside its arrays.
"""

from __future__ import annotations

# Compiled in: kernels.py 6651e3a0, layout.py 8014ca03
import numpy as np
from numba import njit, types

from lsr.index.kernels import _i4_out, _i8, _i8_out, _u1, _u2, _u4, list_bytes
from lsr.index.layout import KTH, ROW_FROM, SUPERBLOCK


@njit(
    types.int64(
        _u4, _u4, _u4, _u2, _u2, _u1, _i8, _u4, types.int64,
        _i8_out, _i4_out, _i4_out, _i4_out, _i4_out,
    ),
    cache=True, nogil=True,
)  # fmt: skip
def locate(
    asked: np.ndarray,
    terms: np.ndarray,
    borders: np.ndarray,
    supers: np.ndarray,
    counts: np.ndarray,
    peaks: np.ndarray,
    data_starts: np.ndarray,
    row_starts: np.ndarray,
    n_docs: int,
    starts: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    numbers: np.ndarray,
) -> int:
    """Where the lists of the terms `asked`, ascending, are: slot `s * len(asked) + j` is for term j in superblock s.

    `numbers[j]` becomes the place of term j among the segment's `terms`, -1 where it is not there. Filled for each list
    that exists: `starts`, where its bytes begin; `lengths`, its postings; `greatest`, its greatest impact; `rows`, the
    number of its row of bounds, or -1. Slots without a list have a length and a greatest impact of 0.

    Returns -1, or the number of a term whose part of the directory cannot be right; nothing is followed then.
    """
    n_super = (n_docs + SUPERBLOCK - 1) // SUPERBLOCK
    width = len(asked)
    lengths[:] = 0
    greatest[:] = 0
    low = np.int64(0)
    last_term = np.int64(terms[len(terms) - 1]) if len(terms) > 0 else np.int64(-1)
    for j in range(width):
        term = np.int64(asked[j])
        high = np.int64(len(terms))
        if low < high and term <= last_term:
            # Terms are unique: there are no more of them between two than numbers.
            high = min(high, low + max(np.int64(0), term - np.int64(terms[low])))
            low = max(low, min(high, len(terms) - 1 - (last_term - term)))
        while low < high:
            middle = (low + high) >> 1
            if terms[middle] < asked[j]:
                low = middle + 1
            else:
                high = middle
        numbers[j] = -1
        if low == len(terms) or terms[low] != asked[j]:
            continue
        numbers[j] = low
        number = low
        first, last = np.int64(borders[number]), np.int64(borders[number + 1])
        if first > last or last > len(supers):
            return number
        at = data_starts[number]
        row = np.int64(row_starts[number])
        before = np.int64(-1)
        for entry in range(first, last):
            s = np.int64(supers[entry])
            if s <= before or s >= n_super:
                return number
            before = s
            count = np.int64(counts[entry]) + 1
            documents = min(np.int64(SUPERBLOCK), n_docs - s * SUPERBLOCK)
            if count > documents:
                return number
            slot = s * width + j
            starts[slot] = at
            lengths[slot] = count
            greatest[slot] = peaks[entry]
            rows[slot] = -1
            if count >= ROW_FROM:
                rows[slot] = row
                row += 1
            at += list_bytes(count, documents)
        if at != data_starts[number + 1] or row != np.int64(row_starts[number + 1]):
            return number
    return -1


@njit(cache=True, nogil=True)
def plan(
    numbers: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    weights: np.ndarray,
    kth: np.ndarray,
    depth: int,
    max_weight: int,
    max_shift: int,
    bounds: np.ndarray,
    visits: np.ndarray,
    found: np.ndarray,
) -> None:
    """In which order a query goes about a segment; `numbers`, `lengths` and `greatest` are as `locate` fills them.

    Filled in: `bounds` of whole superblocks; `visits`, those above 0 in falling order; `found[0]`, how many visits;
    `found[1]`, the least shift by which the bounds of blocks fit 16 bits in every superblock (see block_kernels.py), -1
    where none up to `max_shift` is enough or a weight is above `max_weight`; `found[2]`, a score that as many documents
    have as the column `depth` of `kth` says, 0 for none (`depth` below 0: unasked).
    """
    width = len(weights)
    count = 0
    shift = 0
    floor = np.int64(0)
    for j in range(width):
        if weights[j] > max_weight:
            shift = max_shift + 1
        if depth >= 0 and numbers[j] >= 0:
            floor = max(floor, np.int64(weights[j]) * np.int64(kth[np.int64(numbers[j]) * len(KTH) + depth]))
    for s in range(len(bounds)):
        bound = np.int64(0)
        for j in range(width):
            bound += np.int64(weights[j]) * np.int64(greatest[s * width + j])
        bounds[s] = bound
        while shift <= max_shift:
            total = np.int64(0)
            for j in range(width):
                total += (np.int64(weights[j]) * np.int64(greatest[s * width + j]) + (1 << shift) - 1) >> shift
            if total <= 65535:
                break
            shift += 1
        if bound > 0:
            place = count
            while place > 0 and bounds[visits[place - 1]] < bound:
                visits[place] = visits[place - 1]
                place -= 1
            visits[place] = s
            count += 1
    found[0] = count
    found[1] = shift if shift <= max_shift else -1
    found[2] = floor
