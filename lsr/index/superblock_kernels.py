"""One superblock, pruned: which of its blocks may hold a hit, and these scored, by whichever way is cheapest."""

from __future__ import annotations

# Compiled in: block_kernels.py 1233dc12, kernels.py 4fca6595, layout.py d3f56779, score_kernels.py b3ad80f7
import numpy as np
from numba import njit

from lsr.index.block_kernels import (
    _TOP_DOCUMENT,
    bound_lists,
    bound_sums,
    costs,
    count_reaching,
    cut_for,
    leave_out,
    list_reaching,
    live_cost,
    widen,
)
from lsr.index.kernels import ALL, LONG, SHORT, add_lists, select
from lsr.index.layout import BLOCK, ROW
from lsr.index.score_kernels import collect_blocks, order_rows, score_long, score_short

#: Blocks that are scored first, those with the greatest bounds, to raise the threshold for the others.
_FIRST = 24


@njit(cache=True, nogil=True)
def reached(heap: np.ndarray, size: int, shared: np.ndarray) -> int:
    """The score, 1 or more, below which no document is among the k best."""
    return max(shared[0], heap[0] >> 32) if size == len(heap) else shared[0]


@njit(cache=True, nogil=True)
def prune_superblock(
    data: np.ndarray,
    data16: np.ndarray,
    row_data: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    shift: int,
    alive: np.ndarray,
    allowed: np.ndarray,
    first: int,
    documents: int,
    threshold: int,
    share: int,
    may_scan: bool,
    bounds: np.ndarray,
    rest: int,
    ordinals: np.ndarray,
    base: int,
    buffers: np.ndarray,
    whole_buffer: np.ndarray,
    sums: np.ndarray,
    aside: np.ndarray,
    maxima: np.ndarray,
    counts: np.ndarray,
    worth: np.ndarray,
    order: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Merge the hits of one superblock into the heap; returns its new size.

    Its lists without a row are few postings. Three ways to tell by them which blocks may hold a hit: nothing but their
    greatest impacts (`rest`); bounds of blocks, posting by posting; or the sums of all documents so far, which are a
    closer bound and half of the score. Then the lists with a row are added for the blocks that are left. Where
    `may_scan` and that would cost more, all is added whole; work[1] counts it.

    `bounds` enter as `bound_rows` leaves them; a bound counts for `share` 1,024ths of what it is. `buffers` has 5 times
    16 bits a block, the first 0, `whole_buffer` 32 bits a block; `aside` is as `sums`.
    """
    before, live, kept, spans, left = (
        buffers[:ROW], buffers[ROW : 2 * ROW], buffers[2 * ROW : 3 * ROW],
        buffers[3 * ROW : 4 * ROW].view(np.int16), buffers[4 * ROW : 5 * ROW],
    )  # fmt: skip
    blocks = len(bounds)
    whole = whole_buffer[:blocks]
    own_allowed = allowed[first // BLOCK : first // BLOCK + blocks] if len(allowed) > 0 else allowed
    cost = np.empty(3, np.int64)
    costs(lengths, rows, documents, cost)
    widen(bounds, rest, shift, share, whole)
    leave_out(whole, own_allowed)
    n_live = count_reaching(whole, threshold)
    if n_live == 0:
        work[2] += 1
        return size
    direct = live_cost(lengths, rows, documents, n_live, True)
    by_postings = cost[0] + cost[1]
    by_sums = cost[0] + documents * _TOP_DOCUMENT
    summed = by_sums < min(direct, by_postings)
    if summed:
        sums[: blocks * BLOCK] = 0
        work[0] += add_lists(sums, data, data16, starts, lengths, rows, weights, documents, SHORT)
        bound_sums(sums, maxima, bounds, shift, share, whole)
    elif by_postings < direct:
        left[:blocks] = bounds
        bound_lists(data, data16, starts, lengths, rows, weights, shift, left[:blocks], before)
        widen(left[:blocks], 0, shift, share, whole)
    leave_out(whole, own_allowed)
    n_live = count_reaching(whole, threshold)
    wanted = max(_FIRST, len(heap) // 4)
    cut = cut_for(whole, threshold, wanted) if n_live > (4 if size < len(heap) else 16) * wanted else threshold
    whole_cost = cost[2] + documents * _TOP_DOCUMENT + (0 if summed else cost[0])
    begun = False
    while True:
        n_live = list_reaching(whole, max(cut, threshold), live)
        last = cut <= threshold
        if last and may_scan and live_cost(lengths, rows, documents, n_live, not summed) > whole_cost:
            missing = LONG if summed else ALL
            if missing == ALL:
                sums[: blocks * BLOCK] = 0
            work[0] += add_lists(sums, data, data16, starts, lengths, rows, weights, documents, missing)
            if begun:  # what has been offered must not be offered again
                for block in range(blocks):
                    if whole[block] == 0:
                        sums[block * BLOCK : (block + 1) * BLOCK] = 0
            work[1] += 1
            return select(sums, maxima, alive, first, documents, threshold, ordinals, base, counts, heap, size)
        if n_live > 0:
            work[5] += n_live
            scores = sums
            if summed and not last:  # what is added beside these blocks must not be added again
                scores = aside
                for block in live[:n_live]:
                    low = np.int64(block) * BLOCK
                    scores[low : low + BLOCK] = sums[low : low + BLOCK]
            elif not summed:
                score_short(data, data16, starts, lengths, rows, weights, documents, live[:n_live], spans, sums, work)
            chosen = order[: order_rows(lengths, greatest, rows, weights, documents, n_live, worth, order)]
            for block in live[:n_live]:
                whole[block] = 0  # done
            n_left = score_long(
                data, data16, starts, lengths, rows, row_data, weights, chosen, shift, documents, threshold, share,
                live[:n_live], bounds, kept, spans, scores, work,
            )  # fmt: skip
            size = collect_blocks(
                scores, maxima, live[:n_left], alive, first, documents, threshold, ordinals, base, heap, size
            )
            threshold = max(threshold, heap[0] >> 32) if size == len(heap) else threshold
        if last:
            break
        cut = 0
        begun = True
    work[2] += 1
    return size
