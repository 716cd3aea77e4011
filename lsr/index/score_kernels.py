"""The loops of pruning: scores of those blocks alone that bounds leave over. The same rules as in kernels.py."""

from __future__ import annotations

# Compiled in: block_kernels.py cb675f78, intrinsics.py 9bdb35e1, kernels.py 6651e3a0, layout.py 8014ca03
import numpy as np
from numba import njit, types

from lsr.index.block_kernels import full_cost, part_cost
from lsr.index.intrinsics import prefetch
from lsr.index.kernels import _i4, _i8, _i8_out, _u1, _u2, _u4, add_dense, add_list, add_span, list_kind
from lsr.index.layout import BLOCK, DENSE, PLAIN, ROW, SPAN, SPAN_TABLE, SUPERBLOCK

#: What looking a list up costs beside its postings, in picoseconds.
_LIST = 200_000


@njit(cache=True, nogil=True)
def lower_bound(ids: np.ndarray, p: int, target: int) -> int:
    """The first place from `p` on where `ids`, ascending, is not below `target`; without branches that depend on it."""
    length = len(ids) - p
    while length > 0:
        half = (length + 1) >> 1
        p = p + half if ids[p + half - 1] < target else p
        length -= half
    return p


@njit(cache=True, nogil=True)
def may_reach(sums: np.ndarray, block: int, rest: int, threshold: int) -> bool:
    """Whether the best sum of a block, and `rest` more, is `threshold` at least."""
    own = sums[block * BLOCK : (block + 1) * BLOCK]
    least = np.uint32(max(np.int64(0), threshold - rest))
    found = np.uint32(0)
    for i in range(len(own)):  # a count over a slice is compiled to vectors, a maximum or a constant number is not
        found = np.uint32(found + np.uint32(own[i] >= least))
    return found > 0


@njit(cache=True, nogil=True)
def add_blocks(
    sums: np.ndarray,
    data: np.ndarray,
    data16: np.ndarray,
    at: int,
    count: int,
    documents: int,
    weight: int,
    live: np.ndarray,
    work: np.ndarray,
) -> None:
    """Add those postings of a list without a row that are in the blocks `live`, ascending; or all, where cheaper."""
    kind = list_kind(count, documents)
    if part_cost(count, documents, len(live)) == full_cost(count, documents):
        add_list(sums, data, data16, at, count, documents, weight)
        work[0] += count
    elif kind == PLAIN:
        ids = data16[at >> 1 : (at >> 1) + count]
        impacts = data[at + 2 * count : at + 3 * count]
        p = 0
        for block in live:
            target = np.int64(block) * BLOCK
            p = lower_bound(ids, p, target)
            before = p
            while p < count and ids[p] < target + BLOCK:
                sums[ids[p]] += weight * impacts[p]
                p += 1
            work[0] += p - before
    else:  # dense: what is spanned has a row
        for block in live:
            low = np.int64(block) * BLOCK
            add_dense(sums[low : low + BLOCK], data[at + low : at + low + BLOCK], weight)
        work[0] += len(live) * BLOCK


@njit(cache=True, nogil=True)
def score_short(
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    documents: int,
    live: np.ndarray,
    sums: np.ndarray,
    work: np.ndarray,
) -> None:
    """Begin the sums of the documents of the blocks `live`, ascending, by the lists without a row."""
    for block in live:
        sums[np.int64(block) * BLOCK : (np.int64(block) + 1) * BLOCK] = 0
    for j in range(len(weights)):
        count = np.int64(lengths[j])
        if count > 0 and rows[j] < 0:
            add_blocks(sums, data, data16, starts[j], count, documents, weights[j], live, work)


@njit(cache=True, nogil=True)
def order_rows(
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    documents: int,
    n_live: int,
    worth: np.ndarray,
    order: np.ndarray,
) -> int:
    """Numbers of the lists with a row, those first that tell most of `n_live` blocks for what they cost; how many."""
    n_order = 0
    for j in range(len(weights)):
        count = np.int64(lengths[j])
        if count == 0 or rows[j] < 0:
            continue
        cost = part_cost(count, documents, n_live) + _LIST
        worth[j] = np.float64(weights[j]) * np.float64(greatest[j]) / np.float64(cost)
        place = n_order
        while place > 0 and worth[order[place - 1]] < worth[j]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = j
        n_order += 1
    return n_order


@njit(cache=True, nogil=True)
def fetch_tables(data16: np.ndarray, at: int, live: np.ndarray) -> None:
    """Ask for where a spanned list's table tells of some blocks."""
    for block in live:
        prefetch(data16, (at >> 1) + np.int64(block) // (SPAN // BLOCK))


@njit(cache=True, nogil=True)
def fetch_spans(data: np.ndarray, data16: np.ndarray, at: int, count: int, live: np.ndarray) -> None:
    """Ask for the postings of a spanned list in the spans of some blocks."""
    for block in live:
        low = at + SPAN_TABLE + np.int64(data16[(at >> 1) + np.int64(block) // (SPAN // BLOCK)])
        prefetch(data, low)
        prefetch(data, low + count)


@njit(cache=True, nogil=True)
def score_long(
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    row_data: np.ndarray,
    weights: np.ndarray,
    order: np.ndarray,
    shift: int,
    documents: int,
    threshold: int,
    share: int,
    live: np.ndarray,
    rest: np.ndarray,
    sums: np.ndarray,
    work: np.ndarray,
) -> int:
    """Add the lists with a row to the sums of the documents of the blocks `live`, ascending; drop blocks on the way.

    The lists come as `order` says. `rest[block]` is the bound of what they add (÷ 2^shift) and falls as they are added:
    a block whose best sum and rest together stay below `threshold` is dropped, where the rest counts for `share`
    1,024ths of what it is. Returns how many blocks are left in `live`; their sums are whole, others have no meaning.
    """
    up = (1 << shift) - 1
    n_live = len(live)
    postings = np.int64(0)
    if len(order) > 0:
        fetch_tables(data16, starts[order[0]], live)
    for place in range(len(order)):
        if n_live == 0:
            break
        j = order[place]
        at, count, weight = starts[j], np.int64(lengths[j]), np.int64(weights[j])
        first = np.int64(rows[j]) * ROW
        row = row_data[first : first + ROW]
        whole = part_cost(count, documents, n_live) == full_cost(count, documents)
        dense = list_kind(count, documents) == DENSE
        if whole:
            add_list(sums, data, data16, at, count, documents, weights[j])
            postings += count
        elif not dense:
            fetch_spans(data, data16, at, count, live[:n_live])
        if place + 1 < len(order):  # the next list's table is on its way while this one is added
            fetch_tables(data16, starts[order[place + 1]], live[:n_live])
        table = data16[at >> 1 : (at + SPAN_TABLE) >> 1]
        ids = data[at + SPAN_TABLE : at + SPAN_TABLE + count]
        impacts = data[at + SPAN_TABLE + count : at + SPAN_TABLE + 2 * count]
        last = np.int64(-1)
        left = n_live
        n_live = 0
        for i in range(left):
            block = np.int64(live[i])
            live[n_live] = block
            impact = np.int64(row[block])
            if impact == 0:
                n_live += 1
                continue
            span = block // (SPAN // BLOCK)
            if whole:
                pass
            elif dense:
                low = block * BLOCK
                add_dense(sums[low : low + BLOCK], data[at + low : at + low + BLOCK], weights[j])
                postings += BLOCK
            elif span != last:  # else its postings have been added with those of an earlier block
                last = span
                low, high = np.int64(table[span]), np.int64(table[span + 1])
                add_span(sums[span * SPAN : (span + 1) * SPAN], ids[low:high], impacts[low:high], weights[j])
                postings += max(np.int64(0), high - low)
            rest[block] -= (weight * impact + up) >> shift
            n_live += may_reach(sums, block, ((np.int64(rest[block]) << shift) * share) >> 10, threshold)
    work[0] += postings
    return n_live


@njit(types.void(_u1, _u2, types.int64, _i8, _i4, _u4, _i8, _i8_out), cache=True, nogil=True)
def score_documents(
    data: np.ndarray,
    data16: np.ndarray,
    n_docs: int,
    starts: np.ndarray,
    lengths: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Add to `scores[i]` the score of the document at `places[i]`, -1 for none; lists are as `locate` finds them."""
    width = len(weights)
    for i in range(len(places)):
        if places[i] < 0:
            continue
        s = places[i] // SUPERBLOCK
        local = places[i] - s * SUPERBLOCK
        documents = min(np.int64(SUPERBLOCK), n_docs - s * SUPERBLOCK)
        for j in range(width):
            count = np.int64(lengths[s * width + j])
            if count == 0:
                continue
            at = starts[s * width + j]
            kind = list_kind(count, documents)
            if kind == DENSE:
                scores[i] += np.int64(weights[j]) * np.int64(data[at + local])
            elif kind == PLAIN:
                p = lower_bound(data16[at >> 1 : (at >> 1) + count], 0, local)
                if p < count and data16[(at >> 1) + p] == local:
                    scores[i] += np.int64(weights[j]) * np.int64(data[at + 2 * count + p])
            else:
                span = local // SPAN
                table = data16[at >> 1 : (at + SPAN_TABLE) >> 1]
                first = at + SPAN_TABLE
                for p in range(np.int64(table[span]), min(count, np.int64(table[span + 1]))):
                    if data[first + p] == local - span * SPAN:
                        scores[i] += np.int64(weights[j]) * np.int64(data[first + count + p])
