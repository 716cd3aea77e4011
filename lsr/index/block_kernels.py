"""The loops of pruning: bounds of blocks of documents, and what scanning or scoring would cost.

The same rules as in kernels.py. A bound is kept in 16 bits: the sum over terms of ⌈weight × greatest impact / 2^shift⌉,
where search.py chooses the shift so that no sum of a superblock exceeds 65,535. Times 2^shift it is never below the
score of any document of the block (Block-Max Pruning: Mallia, Suel and Tonellotto, SIGIR 2024; superblocks of 2,048
blocks here).
"""

from __future__ import annotations

# Compiled in: kernels.py dadfc0bd, layout.py badaed2f
import numpy as np
from numba import njit

from lsr.index.kernels import list_kind
from lsr.index.layout import BLOCK, DENSE, PLAIN, ROW

#: Lists of fewer postings are bounded posting by posting, without a row.
_SHORT = 192

# Costs in picoseconds, measured on one machine; they decide between ways that give the same result.
_PLAIN_POSTING, _SPANNED_POSTING, _SPANNED_LIST, _DENSE_DOCUMENT = 420, 380, 700_000, 45
_SCAN_DOCUMENT = 110
_FIND = 22_000
_DENSE_BLOCK, _SPAN_BLOCK = 5_000, 12_000
_ROW_COST, _ROW_POSTING = 110_000, 650


@njit(cache=True, nogil=True)
def add_row(bounds: np.ndarray, row: np.ndarray, weight: int, shift: int) -> None:
    """Add the bounds of one list to those of all blocks."""
    w = np.uint16(weight)
    s = np.uint16(shift)
    up = np.uint16((1 << shift) - 1)
    for i in range(len(row)):
        bounds[i] = np.uint16(bounds[i] + np.uint16(np.uint16(np.uint16(w * np.uint16(row[i])) + up) >> s))


@njit(cache=True, nogil=True)
def add_short(bounds: np.ndarray, ids: np.ndarray, impacts: np.ndarray, weight: int, shift: int) -> None:
    """The same for a short plain list: the greatest impact of each run of postings in one block."""
    up = (1 << shift) - 1
    p = 0
    while p < len(ids):
        block = ids[p] // BLOCK
        best = impacts[p]
        p += 1
        while p < len(ids) and ids[p] // BLOCK == block:
            best = max(best, impacts[p])
            p += 1
        bounds[block] += (weight * best + up) >> shift


@njit(cache=True, nogil=True)
def make_row(row: np.ndarray, data: np.ndarray, data16: np.ndarray, at: int, count: int, documents: int) -> None:
    """The row of bounds of a list that has none in the file."""
    row[:] = 0
    if list_kind(count, documents) == DENSE:
        for i in range(documents):
            row[i // BLOCK] = max(row[i // BLOCK], data[at + i])
        return
    ids = data16[at >> 1 : (at >> 1) + count]
    impacts = data[at + 2 * count : at + 3 * count]
    for p in range(len(ids)):
        block = ids[p] // BLOCK
        row[block] = max(row[block], impacts[p])


@njit(cache=True, nogil=True)
def greatest_bound(bounds: np.ndarray) -> int:
    best = bounds[0]
    for i in range(1, len(bounds)):
        best = max(best, bounds[i])
    return np.int64(best)


@njit(cache=True, nogil=True)
def count_live(bounds: np.ndarray, needed: int) -> int:
    """How many bounds reach `needed`, 1 to 65,535."""
    least = np.uint16(needed)
    count = np.uint32(0)
    for i in range(len(bounds)):
        count += np.uint32(bounds[i] >= least)
    return np.int64(count)


@njit(cache=True, nogil=True)
def list_live(bounds: np.ndarray, needed: int, live: np.ndarray) -> int:
    """Fill in the numbers of the blocks whose bounds reach `needed`, ascending; returns how many there are."""
    count = 0
    for i in range(len(bounds)):
        live[count] = i
        count += np.int64(bounds[i]) >= needed
    return count


@njit(cache=True, nogil=True)
def cut_for(bounds: np.ndarray, bests: np.ndarray, needed: int, wanted: int) -> int:
    """A bound of `needed` or more that about `wanted` blocks reach, those with the greatest bounds.

    `bounds` are those of all superblocks, a row each, `bests` the greatest of each, 0 where a row has no meaning.
    """
    low = needed
    high = needed
    for best in bests:
        high = max(high, best)
    while low < high:
        middle = (low + high + 1) >> 1
        count = np.int64(0)
        for n in range(len(bests)):
            if bests[n] >= middle:
                count += count_live(bounds[n * ROW : (n + 1) * ROW], middle)
        if count >= wanted:
            low = middle
            if count <= 2 * wanted:
                break
        else:
            high = middle - 1
    return low


@njit(cache=True, nogil=True)
def scan_cost(lengths: np.ndarray, documents: int) -> int:
    """What `scan_superblock` costs, in picoseconds."""
    cost = _SCAN_DOCUMENT * documents
    for j in range(len(lengths)):
        count = np.int64(lengths[j])
        if count > 0:
            cost += full_cost(count, documents)
    return cost


@njit(cache=True, nogil=True)
def full_cost(count: int, documents: int) -> int:
    """What adding a whole list costs."""
    kind = list_kind(count, documents)
    if kind == PLAIN:
        return count * _PLAIN_POSTING
    if kind == DENSE:
        return documents * _DENSE_DOCUMENT
    return _SPANNED_LIST + count * _SPANNED_POSTING


@njit(cache=True, nogil=True)
def part_cost(count: int, documents: int, live: int) -> int:
    """What adding `live` blocks of a list costs, whichever way is cheaper."""
    kind = list_kind(count, documents)
    if kind == PLAIN:
        part = live * _FIND
    elif kind == DENSE:
        part = live * _DENSE_BLOCK
    else:
        part = live * _SPAN_BLOCK
    return min(part, full_cost(count, documents))


@njit(cache=True, nogil=True)
def live_cost(lengths: np.ndarray, documents: int, live: int) -> int:
    """What `score_blocks` costs for so many blocks."""
    cost = live * 30_000
    for j in range(len(lengths)):
        count = np.int64(lengths[j])
        if count > 0:
            cost += part_cost(count, documents, live)
    return cost


@njit(cache=True, nogil=True)
def bound_blocks(
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    row_data: np.ndarray,
    weights: np.ndarray,
    shift: int,
    documents: int,
    needed: int,
    bounds: np.ndarray,
    scratch: np.ndarray,
    rest_of_rows: np.ndarray,
    pending: np.ndarray,
    cost: np.ndarray,
) -> int:
    """Bounds of all blocks of a superblock; returns how many reach `needed`.

    Lists with a row are added first, and short lists. The others are read, those that say most for their length first,
    only while that can be worth it: what they add at most, their peak, is else added to every block. `rest_of_rows`
    becomes the part of the lists with a row. `cost[0]` is raised by what was spent.
    """
    up = (1 << shift) - 1
    bounds[:] = 0
    n_pending = 0
    rest = np.int64(0)
    for j in range(len(weights)):
        count = np.int64(lengths[j])
        if count == 0:
            continue
        if rows[j] >= 0:
            at = np.int64(rows[j]) * ROW
            add_row(bounds, row_data[at : at + len(bounds)], weights[j], shift)
            cost[0] += _ROW_COST
    rest_of_rows[: len(bounds)] = bounds
    for j in range(len(weights)):
        count = np.int64(lengths[j])
        if count == 0 or rows[j] >= 0:
            continue
        if count < _SHORT and list_kind(count, documents) == PLAIN:
            at = starts[j]
            ids = data16[at >> 1 : (at >> 1) + count]
            add_short(bounds, ids, data[at + 2 * count : at + 3 * count], np.int64(weights[j]), shift)
            cost[0] += count * 2_000
        else:
            rest += (np.int64(weights[j]) * np.int64(greatest[j]) + up) >> shift
            pending[n_pending] = j
            n_pending += 1
    while True:
        if greatest_bound(bounds) + rest < needed:
            return 0
        live = count_live(bounds, max(1, needed - rest)) if needed > rest else len(bounds)
        if n_pending == 0:
            return live
        best = 0
        for i in range(1, n_pending):
            a, b = pending[i], pending[best]
            # greater weight × peak for each posting, without a division
            left = np.int64(weights[a]) * np.int64(greatest[a]) * np.int64(lengths[b])
            if left > np.int64(weights[b]) * np.int64(greatest[b]) * np.int64(lengths[a]):
                best = i
        j = pending[best]
        count = np.int64(lengths[j])
        price = _ROW_COST * 2 + count * _ROW_POSTING
        if live_cost(lengths, documents, live) <= price:
            break
        make_row(scratch, data, data16, starts[j], count, documents)
        add_row(bounds, scratch[: len(bounds)], weights[j], shift)
        cost[0] += price
        rest -= (np.int64(weights[j]) * np.int64(greatest[j]) + up) >> shift
        n_pending -= 1
        pending[best] = pending[n_pending]
    for i in range(len(bounds)):
        bounds[i] += np.uint16(rest)
    return live
