"""One superblock, pruned: which of its blocks may hold a hit, and these scored, by whichever way is cheapest."""

from __future__ import annotations

# Compiled in: block_kernels.py cb675f78, hit_kernels.py 2e751a68, kernels.py 6651e3a0, layout.py 8014ca03
# Compiled in: score_kernels.py 1c724aeb
import numpy as np
from numba import njit

from lsr.index.block_kernels import (
    _TOP_DOCUMENT,
    _TOP_DOCUMENT_WIDE,
    bound_lists,
    bound_sums,
    costs,
    count_reaching,
    cut_for,
    greatest_bound,
    leave_out,
    list_reaching,
    live_cost,
    widen,
)
from lsr.index.hit_kernels import select, select_parts
from lsr.index.kernels import ALL, LONG, add_lists, add_short, fetch_short
from lsr.index.layout import BLOCK, ROW
from lsr.index.score_kernels import order_rows, score_long, score_short

#: Blocks that are scored first, those with the greatest bounds, to raise the threshold for the others.
_FIRST = 24


@njit(cache=True, nogil=True)
def reached(heap: np.ndarray, size: int, shared: np.ndarray) -> int:
    """The score, 1 or more, below which no document is among the k best."""
    return max(shared[0], heap[0] >> 32) if size == len(heap) else shared[0]


@njit(cache=True, nogil=True)
def take_blocks(sums: np.ndarray, live: np.ndarray, scores: np.ndarray) -> None:
    """Copy the sums of some blocks."""
    for block in live:
        for i in range(np.int64(block) * BLOCK, (np.int64(block) + 1) * BLOCK):
            scores[i] = sums[i]


@njit(cache=True, nogil=True)
def clear_done(whole: np.ndarray, sums: np.ndarray) -> None:
    """Nothing for the documents of blocks of no bound: what has been offered must not be offered again."""
    for block in range(len(whole)):
        if whole[block] == 0:
            sums[block * BLOCK : (block + 1) * BLOCK] = 0


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
    next_starts: np.ndarray,
    next_lengths: np.ndarray,
    next_rows: np.ndarray,
    next_documents: int,
    shift: int,
    alive: np.ndarray,
    allowed: np.ndarray,
    first: int,
    documents: int,
    threshold: int,
    share: int,
    may_scan: bool,
    sample: bool,
    bounds: np.ndarray,
    rest: int,
    best: int,
    ordinals: np.ndarray,
    base: int,
    buffers: np.ndarray,
    whole_buffer: np.ndarray,
    sums16: np.ndarray,
    sums32: np.ndarray,
    scores: np.ndarray,
    maxima: np.ndarray,
    counts: np.ndarray,
    keys: np.ndarray,
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

    `bounds` enter as `bound_rows` leaves them; a bound counts for `share` 1,024ths of what it is. `buffers` has 4 times
    16 bits a block, `whole_buffer` 32 bits a block; `scores` is another `sums32`. `next_starts` and so on are the slots
    of the superblock that is likely to follow.
    """
    live, own_bounds = buffers[:ROW], buffers[ROW : 2 * ROW]
    blocks = len(bounds)
    padded = blocks * BLOCK
    whole, own_bounds = whole_buffer[:blocks], own_bounds[:blocks]
    own_allowed = allowed[first // BLOCK : first // BLOCK + blocks] if len(allowed) > 0 else allowed
    widen(bounds, rest, shift, share, whole)
    leave_out(whole, own_allowed)
    n_live = count_reaching(whole, threshold)
    if n_live == 0:
        work[2] += 1
        return size
    cost = np.empty(5, np.int64)
    costs(lengths, greatest, rows, weights, documents, cost)
    narrow = min(best, cost[3]) <= 65535  # no sum of the lists without a row can exceed either
    direct = live_cost(lengths, rows, documents, n_live, True)
    by_postings = cost[0] + cost[1] + (cost[0] if may_scan else 0)  # which a scan adds again
    by_sums = cost[0] + documents * (_TOP_DOCUMENT if narrow else _TOP_DOCUMENT_WIDE)
    summed = by_sums < min(direct, by_postings)
    if summed and narrow:
        sums16[:padded] = 0
        work[0] += add_short(
            sums16, data, data16, starts, lengths, rows, weights, documents, next_starts, next_lengths, next_rows,
            next_documents,
        )  # fmt: skip
        bound_sums(sums16, maxima.view(np.uint16), bounds, shift, share, whole)
    elif summed:
        sums32[:padded] = 0
        work[0] += add_short(
            sums32, data, data16, starts, lengths, rows, weights, documents, next_starts, next_lengths, next_rows,
            next_documents,
        )  # fmt: skip
        bound_sums(sums32, maxima, bounds, shift, share, whole)
    elif by_postings < direct:
        fetch_short(data, next_starts, next_lengths, next_rows, next_documents)
        own_bounds[:] = bounds
        bound_lists(data, data16, starts, lengths, rows, weights, shift, own_bounds)
        widen(own_bounds, 0, shift, share, whole)
    if summed and share == 1024:
        best = min(best, greatest_bound(whole))  # closer, before any block is left out
    leave_out(whole, own_allowed)
    wanted = max(_FIRST, len(heap) // 4)
    n_live = count_reaching(whole, threshold)
    cut = threshold
    if sample and ((size < len(heap) and n_live > 4 * wanted) or (not may_scan and n_live > 16 * wanted)):
        cut = cut_for(whole, threshold, wanted)
    scan_cost = cost[2] + documents * _TOP_DOCUMENT_WIDE + (0 if summed else cost[0])
    while True:
        n_live = list_reaching(whole, max(cut, threshold), live)
        last = cut <= threshold
        if last and may_scan and live_cost(lengths, rows, documents, n_live, not summed) > scan_cost:
            work[1] += 1
            missing = LONG if summed else ALL
            if best <= 65535 and (narrow or not summed):  # no sum can exceed it
                if not summed:
                    sums16[:padded] = 0
                work[0] += add_lists(sums16, data, data16, starts, lengths, rows, weights, documents, missing)
                clear_done(whole, sums16)
                return select(
                    sums16, maxima.view(np.uint16), alive, first, documents, threshold, ordinals, base, counts, keys,
                    buffers, heap, size,
                )  # fmt: skip
            if summed and narrow:
                scores[:padded] = sums16[:padded]
            elif summed:
                scores = sums32
            else:
                scores[:padded] = 0
            work[0] += add_lists(scores, data, data16, starts, lengths, rows, weights, documents, missing)
            clear_done(whole, scores)
            return select(
                scores, maxima, alive, first, documents, threshold, ordinals, base, counts, keys, buffers, heap, size
            )
        if n_live > 0:
            work[5] += n_live
            for block in live[:n_live]:
                whole[block] = 0  # done
            if summed and narrow:
                take_blocks(sums16, live[:n_live], scores)
            elif summed:
                take_blocks(sums32, live[:n_live], scores)
            else:
                score_short(data, data16, starts, lengths, rows, weights, documents, live[:n_live], scores, work)
            chosen = order[: order_rows(lengths, greatest, rows, weights, documents, n_live, worth, order)]
            n_left = score_long(
                data, data16, starts, lengths, rows, row_data, weights, chosen, shift, documents, threshold, share,
                live[:n_live], bounds, scores, work,
            )  # fmt: skip
            size = select_parts(
                scores, live[:n_left], BLOCK, alive, first, documents, threshold, ordinals, base, keys, heap, size
            )
            threshold = max(threshold, heap[0] >> 32) if size == len(heap) else threshold
        if last:
            break
        cut = 0
    work[2] += 1
    return size
