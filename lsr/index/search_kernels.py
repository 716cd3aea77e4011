"""The loop over superblocks: skip, scan or prune each, by estimated cost. The entry of all search kernels."""

from __future__ import annotations

# Compiled in: block_kernels.py fdf77413, kernels.py aba1ec9b, layout.py d3f56779, score_kernels.py ab49a834
import numpy as np
from numba import njit, types

from lsr.index.block_kernels import (
    bound_blocks,
    cut_for,
    fetch_ahead,
    greatest_bound,
    list_live,
    live_cost,
    scan_cost,
)
from lsr.index.kernels import _i4_out, _i8, _i8_out, _u1, _u2, _u4, scan_superblock
from lsr.index.layout import AUTO, BLOCK, ROW, SCAN, SUPERBLOCK
from lsr.index.score_kernels import collect_blocks, score_blocks

_i4 = types.Array(types.int32, 1, "C", readonly=True)
_u2_out = types.Array(types.uint16, 1, "C")
_u4_out = types.Array(types.uint32, 1, "C")

#: Blocks that are scored first, those with the greatest bounds, to raise the threshold for the others.
_FIRST = 24

#: Superblocks that are scanned at most before pruning is tried again, where it did not pay.
_PATIENCE = 16


@njit(cache=True, nogil=True)
def superblock_bound(weights: np.ndarray, greatest: np.ndarray) -> int:
    """What no document of a superblock can exceed."""
    bound = np.int64(0)
    for j in range(len(weights)):
        bound += np.int64(weights[j]) * np.int64(greatest[j])
    return bound


@njit(cache=True, nogil=True)
def reached(heap: np.ndarray, size: int, floor: int, shared: np.ndarray) -> int:
    """The score, 1 or more, below which no document is among the k best."""
    threshold = max(floor, shared[0])
    return max(threshold, heap[0] >> 32) if size == len(heap) else threshold


@njit(cache=True, nogil=True)
def needed_bound(threshold: int, raised: int, shift: int) -> int:
    """The least bound of a block, in its 16 bits, that leaves room for the threshold; 65,536 where none does."""
    return min(65536, max(1, (((threshold * raised) >> 10) + (1 << shift) - 1) >> shift))


@njit(
    types.int64(
        _u1, _u2, _u1, types.int64, _i8, _i8, _i4, _i4, _i4, _u4, _i4, types.int64, _u1, _u1, _u4, types.int64,
        types.int64, types.int64, types.int64, types.int64, types.int64,
        _u2_out, _u4_out, _u2_out, _u4_out, _i8_out, _u2_out, _u2_out, _u2_out, _u2_out, _u2_out, _i8_out, _i4_out,
        _i8_out, _i8_out, types.int64, _i8_out,
    ),
    cache=True, nogil=True,
)  # fmt: skip
def search_superblocks(
    data: np.ndarray,
    data16: np.ndarray,
    row_data: np.ndarray,
    n_docs: int,
    visits: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    priority: np.ndarray,
    shift: int,
    alive: np.ndarray,
    allowed: np.ndarray,
    ordinals: np.ndarray,
    base: int,
    strategy: int,
    floor: int,
    raise_superblock: int,
    raise_block: int,
    budget: int,
    sums16: np.ndarray,
    sums32: np.ndarray,
    maxima16: np.ndarray,
    maxima32: np.ndarray,
    counts: np.ndarray,
    before: np.ndarray,
    live: np.ndarray,
    kept: np.ndarray,
    bounds: np.ndarray,
    rest: np.ndarray,
    bests: np.ndarray,
    pending: np.ndarray,
    shared: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Merge the top-k of some superblocks of one segment into `heap`; returns its new size.

    Parameters
    ----------
    data, data16, row_data
        The lists' bytes, the same as 16-bit numbers, and the rows of bounds.
    visits : int64 ndarray
        The superblocks, in the order in which they are visited.
    starts, lengths, greatest, rows
        As `locate` fills them.
    weights : uint32 ndarray; those of pruned queries are 255 at most
    priority : int32 ndarray
        Numbers of terms, those first that say most of a block for their length.
    shift : int
        Of the bounds (see block_kernels.py); below 0 where bounds would overflow: everything is scanned then.
    alive : uint8 ndarray, empty or a byte a document
        0 for documents that must not be found.
    allowed : uint8 ndarray, empty or a byte a block
        0 for blocks without any document that may be found.
    strategy : SCAN, PRUNE or AUTO
    floor : int
        A score, 1 or more, that k documents of the whole search are known to have.
    raise_superblock, raise_block : int
        By so many 1,024ths bounds must exceed the threshold; 1,024 is exact.
    budget : int
        Postings to be scored; superblocks that come after are left out, and work[6] says so.
    shared : int64 ndarray of shape (1,)
        The greatest threshold that any thread of the search has reached.
    heap : int64 ndarray of shape (k,)
        Keys: score << 32 | (2**32 - 1 - ordinal).
    work : int64 ndarray of shape (7,)
        Counted up: postings scored, superblocks scanned, pruned, skipped, blocks bounded, blocks scored, superblocks
        left out.
    The others are buffers of one superblock.
    """
    width = len(weights)
    spent = np.zeros(1, np.int64)
    pause, patience = 0, 1
    bests[:] = 0
    begin = 0
    while begin < len(visits):
        # In growing batches: the threshold that one leaves spares the next ones much of their work.
        end = min(len(visits), 4 * begin + 1)
        waiting = 0
        for n in range(begin, end):
            s = visits[n]
            own = slice(s * width, (s + 1) * width)
            own_starts, own_lengths, own_greatest, own_rows = starts[own], lengths[own], greatest[own], rows[own]
            bound = superblock_bound(weights, own_greatest)
            threshold = reached(heap, size, floor, shared)
            if bound * 1024 < threshold * raise_superblock:
                work[3] += 1
                continue
            if work[0] >= budget:
                work[6] += 1
                continue
            first = s * SUPERBLOCK
            documents = min(np.int64(SUPERBLOCK), n_docs - first)
            prune = shift >= 0 and strategy != SCAN
            if prune and strategy == AUTO and len(allowed) == 0:
                if size < len(heap) and n == 0:
                    prune = False  # there is no threshold yet, and this superblock's hits make one
                elif pause > 0:
                    pause -= 1
                    prune = False
            if n + 1 < len(visits):
                next_first = visits[n + 1] * SUPERBLOCK
                following = slice(visits[n + 1] * width, (visits[n + 1] + 1) * width)
                fetch_ahead(
                    data, row_data, starts[following], lengths[following], rows[following],
                    min(np.int64(SUPERBLOCK), n_docs - next_first), prune,
                )  # fmt: skip
            if prune:
                blocks = (documents + BLOCK - 1) // BLOCK
                own_bounds = bounds[n * ROW : n * ROW + blocks]
                spent[0] = 0
                n_live = bound_blocks(
                    data, data16, own_starts, own_lengths, own_greatest, own_rows, row_data, weights, priority, shift,
                    documents, needed_bound(threshold, raise_block, shift), own_bounds,
                    rest[n * ROW : (n + 1) * ROW], before, spent,
                )  # fmt: skip
                work[4] += blocks
                if n_live > 0 and len(allowed) > 0:
                    for i in range(blocks):
                        own_bounds[i] *= allowed[first // BLOCK + i]
                elif strategy == AUTO:
                    spent[0] += live_cost(own_lengths, documents, n_live)
                    if spent[0] > scan_cost(own_lengths, documents):
                        pause = patience
                        patience = min(2 * patience, _PATIENCE)
                        prune = False
                    else:
                        patience = 1
            if prune:
                work[2] += 1
                if n_live > 0:
                    bests[n] = greatest_bound(own_bounds)
                    waiting += 1
                continue
            for j in range(width):
                work[0] += own_lengths[j]
            work[1] += 1
            if bound <= 65535:  # no sum of this superblock can exceed its bound
                size = scan_superblock(
                    data, data16, own_starts, own_lengths, weights, alive, first, documents, threshold,
                    ordinals, base, sums16, maxima16, counts, heap, size,
                )  # fmt: skip
            else:
                size = scan_superblock(
                    data, data16, own_starts, own_lengths, weights, alive, first, documents, threshold,
                    ordinals, base, sums32, maxima32, counts, heap, size,
                )  # fmt: skip
            if size == len(heap):
                shared[0] = max(shared[0], heap[0] >> 32)
        # What waits is bounded. The blocks with the greatest bounds come first and raise the threshold for the rest.
        for last_round in range(2):
            if waiting == 0:
                break
            cut = np.int64(1)
            if not last_round:
                needed = needed_bound(reached(heap, size, floor, shared), raise_block, shift)
                cut = cut_for(bounds[begin * ROW : end * ROW], bests[begin:end], needed, max(_FIRST, len(heap) // 4))
            for n in range(begin, end):
                threshold = reached(heap, size, floor, shared)
                needed = max(cut, needed_bound(threshold, raise_block, shift))
                if bests[n] < needed:
                    continue
                if work[0] >= budget:
                    work[6] += last_round
                    continue
                s = visits[n]
                own = slice(s * width, (s + 1) * width)
                own_starts, own_lengths, own_greatest, own_rows = starts[own], lengths[own], greatest[own], rows[own]
                first = s * SUPERBLOCK
                documents = min(np.int64(SUPERBLOCK), n_docs - first)
                own_bounds = bounds[n * ROW : n * ROW + (documents + BLOCK - 1) // BLOCK]
                chosen = live[: list_live(own_bounds, needed, live)]
                for block in chosen:
                    own_bounds[block] = 0  # done
                work[5] += len(chosen)
                left = score_blocks(
                    data, data16, own_starts, own_lengths, own_greatest, own_rows, row_data, weights, shift, documents,
                    threshold, raise_block, chosen, rest[n * ROW : (n + 1) * ROW], kept, pending, counts,
                    sums32, work,
                )  # fmt: skip
                size = collect_blocks(
                    sums32, maxima32, chosen[:left], alive, first, documents, threshold, ordinals, base, heap, size
                )
                if size == len(heap):
                    shared[0] = max(shared[0], heap[0] >> 32)
        begin = end
    return size
