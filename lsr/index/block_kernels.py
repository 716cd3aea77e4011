"""The loops of pruning: bounds of blocks of documents, and what scanning or scoring would cost.

The same rules as in kernels.py. A bound is kept in 16 bits: the sum over terms of ⌈weight × greatest impact / 2^shift⌉,
where `plan` chooses the shift so that no sum of a superblock exceeds 65,535. Times 2^shift it is never below what its
lists add to any document of the block (Block-Max Pruning: Mallia, Suel and Tonellotto, SIGIR 2024).
"""

from __future__ import annotations

# Compiled in: hit_kernels.py 2e751a68, intrinsics.py 9bdb35e1, kernels.py 6651e3a0, layout.py 8014ca03
import numpy as np
from numba import njit

from lsr.index.hit_kernels import group_maxima
from lsr.index.intrinsics import prefetch
from lsr.index.kernels import list_kind
from lsr.index.layout import BLOCK, DENSE, GROUP, PLAIN, ROW

#: So many rows ahead, a row is asked for.
_AHEAD = 2

#: Blocks of which most often none reaches the threshold.
_STRETCH = 64

# Costs in picoseconds, measured on one machine; they decide between ways that give the same result.
_PLAIN_POSTING, _SPANNED_POSTING, _SPANNED_LIST, _DENSE_DOCUMENT = 650, 500, 700_000, 45
_TOP_DOCUMENT, _TOP_DOCUMENT_WIDE = 75, 130
_FIND = 22_000
_DENSE_BLOCK, _SPAN_BLOCK = 5_000, 25_000
_BOUND_POSTING, _BOUND_LIST = 800, 90_000
_LIVE_BLOCK = 30_000


@njit(cache=True, nogil=True)
def add_shifted(bounds: np.ndarray, row: np.ndarray, weight: int, shift: int) -> None:
    """`add_row`; the compiler must know the shift to see that 16 bits hold all of it, four times as fast."""
    w = np.uint16(weight)
    s = np.uint16(shift)
    up = np.uint16((1 << shift) - 1)
    for i in range(len(bounds)):
        bounds[i] = np.uint16(bounds[i] + np.uint16(np.uint16(np.uint16(w * np.uint16(row[i])) + up) >> s))


@njit(cache=True, nogil=True)
def add_row(bounds: np.ndarray, row: np.ndarray, weight: int, shift: int) -> None:
    """Add the bounds of one list to those of all blocks."""
    if shift == 0:
        add_shifted(bounds, row, weight, 0)
    elif shift == 1:
        add_shifted(bounds, row, weight, 1)
    elif shift == 2:
        add_shifted(bounds, row, weight, 2)
    elif shift == 3:
        add_shifted(bounds, row, weight, 3)
    elif shift == 4:
        add_shifted(bounds, row, weight, 4)
    elif shift == 5:
        add_shifted(bounds, row, weight, 5)
    else:
        add_shifted(bounds, row, weight, shift)


@njit(cache=True, nogil=True)
def make_row(row: np.ndarray, ids: np.ndarray, impacts: np.ndarray) -> None:
    """The greatest impact of each block in a plain list."""
    row[:] = 0
    for p in range(len(ids)):
        block = np.int64(ids[p]) // BLOCK
        row[block] = max(row[block], impacts[p])


@njit(cache=True, nogil=True)
def add_whole(bounds: np.ndarray, impacts: np.ndarray, weight: int, shift: int) -> None:
    """`add_row` for a dense list."""
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
def widen(bounds: np.ndarray, rest: int, shift: int, share: int, whole: np.ndarray) -> None:
    """Bounds of blocks, and `rest` more for each, as scores; they count for `share` 1,024ths of what they are."""
    more = np.uint32(rest)
    times = np.uint32(1 << shift)
    if share == 1024:
        for i in range(len(bounds)):
            whole[i] = np.uint32(np.uint32(np.uint32(bounds[i]) + more) * times)
    else:
        for i in range(len(bounds)):
            whole[i] = (((np.int64(bounds[i]) + rest) << shift) * share) >> 10


@njit(cache=True, nogil=True)
def bound_sums(
    sums: np.ndarray, maxima: np.ndarray, bounds: np.ndarray, shift: int, share: int, whole: np.ndarray
) -> None:
    """The same, and added to them each block's best sum so far. `maxima` is a buffer, a number a group."""
    widen(bounds, 0, shift, share, whole)
    group_maxima(sums, len(bounds) * BLOCK, maxima)
    for block in range(len(bounds)):
        at = block * (BLOCK // GROUP)
        whole[block] += np.uint32(max(max(maxima[at], maxima[at + 1]), max(maxima[at + 2], maxima[at + 3])))


@njit(cache=True, nogil=True)
def leave_out(whole: np.ndarray, allowed: np.ndarray) -> None:
    """Nothing for the blocks that have nobody who may be found; `allowed` is empty or a byte a block."""
    for i in range(len(allowed)):
        whole[i] = whole[i] if allowed[i] > 0 else np.uint32(0)


@njit(cache=True, nogil=True)
def count_reaching(whole: np.ndarray, threshold: int) -> int:
    """How many blocks reach `threshold`, 1 or more."""
    least = np.uint32(threshold)
    count = np.uint32(0)
    for i in range(len(whole)):
        count = np.uint32(count + np.uint32(whole[i] >= least))
    return np.int64(count)


@njit(cache=True, nogil=True)
def list_reaching(whole: np.ndarray, threshold: int, live: np.ndarray) -> int:
    """Fill in the numbers of the blocks that reach `threshold`, ascending; returns how many there are."""
    least = np.uint32(threshold)
    count = 0
    for begin in range(0, len(whole), _STRETCH):
        part = whole[begin : begin + _STRETCH]
        if greatest_bound(part) < least:
            continue
        for i in range(len(part)):
            live[count] = begin + i
            count += part[i] >= least
    return count


@njit(cache=True, nogil=True)
def cut_for(whole: np.ndarray, threshold: int, wanted: int) -> int:
    """A score of `threshold` or more that about `wanted` blocks reach."""
    low, high = threshold, threshold
    for value in whole:
        high = max(high, np.int64(value))
    while low < high:
        middle = (low + high + 1) >> 1
        count = count_reaching(whole, middle)
        if count >= wanted:
            low = middle
            if count <= 2 * wanted:
                break
        else:
            high = middle - 1
    return low


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
def costs(
    lengths: np.ndarray, greatest: np.ndarray, rows: np.ndarray, weights: np.ndarray, documents: int, out: np.ndarray
) -> None:
    """What the lists of a superblock cost: `out[0]`, those without a row, whole; `out[1]`, these bounded posting by
    posting; `out[2]`, those with a row, whole. `out[3]` becomes the most that those without a row add to a
    document, `out[4]` those with one.
    """
    out[:] = 0
    for j in range(len(lengths)):
        count = np.int64(lengths[j])
        if count == 0:
            continue
        whole = full_cost(count, documents)
        if rows[j] >= 0:
            out[2] += whole
            out[4] += np.int64(weights[j]) * np.int64(greatest[j])
        else:
            out[0] += whole
            out[1] += whole if list_kind(count, documents) == DENSE else _BOUND_LIST + count * _BOUND_POSTING
            out[3] += np.int64(weights[j]) * np.int64(greatest[j])


@njit(cache=True, nogil=True)
def live_cost(lengths: np.ndarray, rows: np.ndarray, documents: int, live: int, short: bool) -> int:
    """What `score_blocks` costs for so many blocks; `short`: of the lists without a row too."""
    cost = live * _LIVE_BLOCK
    for j in range(len(lengths)):
        count = np.int64(lengths[j])
        if count > 0 and (short or rows[j] >= 0):
            cost += part_cost(count, documents, live)
    return cost


@njit(cache=True, nogil=True)
def bound_rows(
    places: np.ndarray,
    width: int,
    n_docs: int,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    row_data: np.ndarray,
    weights: np.ndarray,
    shift: int,
    bounds: np.ndarray,
    rests: np.ndarray,
) -> None:
    """Bounds of all blocks of some superblocks by their lists with a row, and the most that other lists add to any.

    `places` are the superblocks, ascending, -1 for none; the bounds of the i-th become the i-th ROW of `bounds`. Term
    by term, since the rows of a term follow each other.
    """
    up = (1 << shift) - 1
    todo = np.empty((len(places) * width, 3), np.int64)  # row, place, weight
    count = 0
    bounds[: len(places) * ROW] = 0
    rests[: len(places)] = 0
    for j in range(width):
        for i in range(len(places)):
            slot = places[i] * width + j
            if places[i] < 0 or lengths[slot] == 0:
                continue
            if rows[slot] >= 0:
                todo[count, 0], todo[count, 1], todo[count, 2] = rows[slot], i, weights[j]
                count += 1
            else:
                rests[i] += (np.int64(weights[j]) * np.int64(greatest[slot]) + up) >> shift
    for n in range(count):
        if n + _AHEAD < count:
            at = todo[n + _AHEAD, 0] * ROW
            for line in range(0, ROW, 64):
                prefetch(row_data, at + line)
        i, at = todo[n, 1], todo[n, 0] * ROW
        add_row(bounds[i * ROW : (i + 1) * ROW], row_data[at : at + ROW], todo[n, 2], shift)


@njit(cache=True, nogil=True)
def bound_lists(
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    shift: int,
    bounds: np.ndarray,
) -> None:
    """Add the bounds of the lists without a row, read off their postings."""
    row = np.empty(ROW, np.uint8)
    for j in range(len(weights)):
        count = np.int64(lengths[j])
        if count == 0 or rows[j] >= 0:
            continue
        at = starts[j]
        weight = np.int64(weights[j])
        if list_kind(count, len(bounds) * BLOCK) == PLAIN:
            ids = data16[at >> 1 : (at >> 1) + count]
            make_row(row, ids, data[at + 2 * count : at + 3 * count])
            add_row(bounds, row[: len(bounds)], weight, shift)
        else:  # dense: what is spanned has a row
            add_whole(bounds, data[at : at + len(bounds) * BLOCK], weight, shift)
