"""The loops of pruning: bounds of blocks of documents, and what scanning or scoring would cost.

The same rules as in kernels.py. A bound is kept in 16 bits: the sum over terms of ⌈weight × greatest impact / 2^shift⌉,
where search.py chooses the shift so that no sum of a superblock exceeds 65,535. Times 2^shift it is never below the
score of any document of the block (Block-Max Pruning: Mallia, Suel and Tonellotto, SIGIR 2024; superblocks of 2,048
blocks here).
"""

from __future__ import annotations

# Compiled in: intrinsics.py 9bdb35e1, kernels.py aba1ec9b, layout.py d3f56779
import numpy as np
from numba import njit

from lsr.index.intrinsics import prefetch
from lsr.index.kernels import list_bytes, list_kind
from lsr.index.layout import BLOCK, DENSE, PLAIN, ROW

#: Lists are left out of bounds when all of them together add at most the 2^-5th part of what is needed.
_SLACK = 5

# Costs in picoseconds, measured on one machine; they decide between ways that give the same result.
_PLAIN_POSTING, _SPANNED_POSTING, _SPANNED_LIST, _DENSE_DOCUMENT = 420, 380, 700_000, 45
_SCAN_DOCUMENT = 110
_FIND = 22_000
_DENSE_BLOCK, _SPAN_BLOCK = 5_000, 12_000
_ROW_COST, _BOUND_POSTING = 150_000, 1_300


@njit(cache=True, nogil=True)
def add_row(bounds: np.ndarray, row: np.ndarray, weight: int, shift: int) -> None:
    """Add the bounds of one list to those of all blocks."""
    w = np.uint16(weight)
    s = np.uint16(shift)
    up = np.uint16((1 << shift) - 1)
    for i in range(len(row)):
        bounds[i] = np.uint16(bounds[i] + np.uint16(np.uint16(np.uint16(w * np.uint16(row[i])) + up) >> s))


@njit(cache=True, nogil=True)
def add_postings(
    bounds: np.ndarray, ids: np.ndarray, impacts: np.ndarray, weight: int, shift: int, before: np.ndarray
) -> None:
    """The same for a plain list, posting by posting. `before`, a number a block, is all 0 before and after."""
    up = (1 << shift) - 1
    for p in range(len(ids)):
        block = ids[p] // BLOCK
        more = max(0, ((weight * np.int64(impacts[p]) + up) >> shift) - np.int64(before[block]))
        bounds[block] += more
        before[block] += more
    for p in range(len(ids)):
        before[ids[p] // BLOCK] = 0


@njit(cache=True, nogil=True)
def add_whole(bounds: np.ndarray, impacts: np.ndarray, weight: int, shift: int) -> None:
    """The same for a dense list."""
    up = (1 << shift) - 1
    for block in range(len(bounds)):
        best = impacts[block * BLOCK]
        for i in range(block * BLOCK + 1, (block + 1) * BLOCK):
            best = max(best, impacts[i])
        bounds[block] += (weight * np.int64(best) + up) >> shift


@njit(cache=True, nogil=True)
def greatest_bound(bounds: np.ndarray) -> int:
    """The greatest of one or more bounds."""
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
def fetch_ahead(
    data: np.ndarray,
    row_data: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    documents: int,
    to_bound: bool,
) -> None:
    """Ask for what a superblock needs first, while another is worked on: it comes from memory in the meantime.

    To be bounded, its rows, and its lists without one; to be scanned, where each list begins.
    """
    for j in range(len(lengths)):
        count = np.int64(lengths[j])
        if count == 0:
            continue
        at = starts[j]
        if not to_bound:
            size = min(256, list_bytes(count, documents))
            for line in range(0, size, 64):
                prefetch(data, at + line)
        elif rows[j] >= 0:
            at = np.int64(rows[j]) * ROW
            for line in range(0, ROW, 64):
                prefetch(row_data, at + line)
        else:
            for line in range(0, list_bytes(count, documents), 64):
                prefetch(data, at + line)


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
    priority: np.ndarray,
    shift: int,
    documents: int,
    needed: int,
    bounds: np.ndarray,
    rest_of_rows: np.ndarray,
    before: np.ndarray,
    cost: np.ndarray,
) -> int:
    """Bounds of all blocks of a superblock; returns how many reach `needed`.

    Lists with a row are added first. The others are read in the order of `priority`, term numbers, until what is left
    is a small part of what is needed; what that adds at most, its peaks, is added to every block. `rest_of_rows`
    becomes the part of the lists with a row. `before` is a buffer of 0s, `cost[0]` is raised by what was spent.
    """
    up = (1 << shift) - 1
    bounds[:] = 0
    rest = np.int64(0)
    for j in range(len(weights)):
        if lengths[j] == 0:
            continue
        if rows[j] >= 0:
            at = np.int64(rows[j]) * ROW
            add_row(bounds, row_data[at : at + len(bounds)], weights[j], shift)
            cost[0] += _ROW_COST
        else:
            rest += (np.int64(weights[j]) * np.int64(greatest[j]) + up) >> shift
    rest_of_rows[: len(bounds)] = bounds
    read = 0
    for j in priority:
        count = np.int64(lengths[j])
        if count == 0 or rows[j] >= 0:
            continue
        if rest <= needed >> _SLACK:
            break
        if read & 3 == 0 and greatest_bound(bounds) + rest < needed:
            return 0
        read += 1
        at = starts[j]
        weight = np.int64(weights[j])
        if list_kind(count, documents) == PLAIN:
            ids = data16[at >> 1 : (at >> 1) + count]
            add_postings(bounds, ids, data[at + 2 * count : at + 3 * count], weight, shift, before)
            cost[0] += count * _BOUND_POSTING
        else:  # dense: what is spanned has a row
            add_whole(bounds, data[at : at + len(bounds) * BLOCK], weight, shift)
            cost[0] += documents * _DENSE_DOCUMENT
        rest -= (weight * np.int64(greatest[j]) + up) >> shift
    if greatest_bound(bounds) + rest < needed:
        return 0
    for i in range(len(bounds)):
        bounds[i] += np.uint16(rest)
    return count_live(bounds, needed) if needed <= 65535 else 0
