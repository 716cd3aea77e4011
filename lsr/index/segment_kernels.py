"""One query on one segment: which superblocks are scanned, pruned or skipped, and in which order."""

from __future__ import annotations

# Compiled in: block_kernels.py cb675f78, hit_kernels.py 2e751a68, kernels.py 6651e3a0, layout.py 8014ca03
# Compiled in: superblock_kernels.py 592c16ee
import numpy as np
from numba import njit

from lsr.index.block_kernels import bound_rows, full_cost, greatest_bound
from lsr.index.hit_kernels import select
from lsr.index.kernels import ALL, add_lists
from lsr.index.layout import AUTO, BLOCK, BUCKETS, CANDIDATES, GROUP, GROUPS, ROW, SCAN, SUPERBLOCK
from lsr.index.superblock_kernels import prune_superblock, reached

#: Superblocks that are scanned at most before pruning is tried again, where it did not pay.
_PATIENCE = 16

#: From so many superblocks on, the best blocks of the first give a threshold that spares scanning it.
_MANY = 8

#: Of fewer documents a hit, so many blocks may hold one that a scan is as fast.
_RARE = 4096

#: Picoseconds a document that lists with a row must cost in segments of few superblocks, or bounding would not pay.
_WORTH = 350

#: One block in so many is scored sooner than all are scanned.
_FEW = 20

#: Superblocks that are bounded at a time, at most: their bounds stay in the cache.
_BATCH = 128

#: Best sums of a superblock that are kept apart.
_MAXIMA = SUPERBLOCK // GROUP + SUPERBLOCK // (GROUP * GROUPS)

#: Bytes of `scratch`.
SCRATCH = 8 * SUPERBLOCK + 4 * _MAXIMA + 8 * BUCKETS + 8 * CANDIDATES + 12 * ROW + _BATCH * 2 * ROW


@njit(cache=True, nogil=True)
def documents_of(superblock: int, n_docs: int) -> int:
    """How many documents a superblock has."""
    return min(np.int64(SUPERBLOCK), n_docs - superblock * SUPERBLOCK)


@njit(cache=True, nogil=True)
def anybody(allowed: np.ndarray, superblock: int) -> bool:
    """Whether a superblock has a block with documents that may be found."""
    found = np.uint8(0)
    for block in allowed[superblock * ROW : (superblock + 1) * ROW]:
        found |= block
    return found > 0


@njit(cache=True, nogil=True)
def long_cost(lengths: np.ndarray, rows: np.ndarray, width: int, n_docs: int) -> int:
    """What adding all lists with a row costs."""
    cost = np.int64(0)
    for s in range(len(lengths) // max(1, width)):
        documents = documents_of(s, n_docs)
        for slot in range(s * width, (s + 1) * width):
            if lengths[slot] > 0 and rows[slot] >= 0:
                cost += full_cost(np.int64(lengths[slot]), documents)
    return cost


@njit(cache=True, nogil=True)
def scan_superblock(
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    alive: np.ndarray,
    first: int,
    documents: int,
    threshold: int,
    ordinals: np.ndarray,
    base: int,
    sums: np.ndarray,
    maxima: np.ndarray,
    counts: np.ndarray,
    keys: np.ndarray,
    numbers: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Score all documents of one superblock and merge them into the heap; returns its new size.

    `starts`, `lengths` and `rows` are the superblock's own slots.
    """
    sums[: (documents + BLOCK - 1) // BLOCK * BLOCK] = 0
    work[0] += add_lists(sums, data, data16, starts, lengths, rows, weights, documents, ALL)
    work[1] += 1
    return select(sums, maxima, alive, first, documents, threshold, ordinals, base, counts, keys, numbers, heap, size)


@njit(cache=True, nogil=True)
def search_segment(
    data: np.ndarray,
    data16: np.ndarray,
    row_data: np.ndarray,
    n_docs: int,
    visits: np.ndarray,
    superblock_bounds: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    greatest: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    shift: int,
    alive: np.ndarray,
    allowed: np.ndarray,
    n_living: int,
    ordinals: np.ndarray,
    base: int,
    strategy: int,
    raise_superblock: int,
    raise_block: int,
    budget: int,
    scratch: np.ndarray,
    shared: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Merge the hits of one query in the superblocks `visits` into the heap; returns its new size.

    `shift` is that of the bounds, below 0 where these would overflow; see `search_queries` for the rest.
    """
    width = len(weights)
    at = 0
    sums32 = scratch[at : at + 4 * SUPERBLOCK].view(np.uint32)
    at += 4 * SUPERBLOCK
    scores = scratch[at : at + 4 * SUPERBLOCK].view(np.uint32)
    at += 4 * SUPERBLOCK
    sums16 = sums32[: SUPERBLOCK // 2].view(np.uint16)
    maxima32 = scratch[at : at + 4 * _MAXIMA].view(np.uint32)
    at += 4 * _MAXIMA
    maxima16 = maxima32.view(np.uint16)
    counts = scratch[at : at + 8 * BUCKETS].view(np.int64)
    at += 8 * BUCKETS
    keys = scratch[at : at + 8 * CANDIDATES].view(np.int64)
    at += 8 * CANDIDATES
    buffers = scratch[at : at + 8 * ROW].view(np.uint16)
    at += 8 * ROW
    whole = scratch[at : at + 4 * ROW].view(np.uint32)
    at += 4 * ROW
    all_bounds = scratch[at:].view(np.uint16)
    worth, order = np.empty(width, np.float64), np.empty(width, np.int32)
    rests, bests = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    share = (1 << 20) // raise_block
    many_allowed = np.sum(allowed) * _FEW > len(allowed)
    sample = strategy != AUTO or len(visits) >= _MANY
    vain = not sample and len(allowed) == 0 and long_cost(lengths, rows, width, n_docs) < _WORTH * n_docs
    pause, patience = 0, 1
    begin, step = 0, 1
    while begin < len(visits):
        # In growing batches: the threshold that one leaves spares the next ones much of their work.
        end = min(len(visits), begin + step)
        scan = strategy == SCAN or shift < 0
        if strategy == AUTO and (vain or (n_living < _RARE * len(heap) and (len(allowed) == 0 or many_allowed))):
            scan = True
            end = len(visits)
        elif strategy == AUTO and not scan and len(allowed) == 0 and pause > 0:
            scan = True
            end = min(len(visits), begin + pause)
            pause = 0
        threshold = reached(heap, size, shared)
        if not scan:
            places = np.sort(visits[begin:end])
            for i in range(end - begin):
                empty = len(allowed) > 0 and not anybody(allowed, places[i])
                if empty or superblock_bounds[places[i]] * 1024 < threshold * raise_superblock:
                    work[3] += 1
                    places[i] = -1
            bound_rows(places, width, n_docs, lengths, greatest, rows, row_data, weights, shift, all_bounds, rests)
            for i in range(end - begin):
                bests[i] = -1 if places[i] < 0 else greatest_bound(all_bounds[i * ROW : (i + 1) * ROW]) + rests[i]
                work[4] += 0 if places[i] < 0 else (documents_of(places[i], n_docs) + BLOCK - 1) // BLOCK
            turns = np.argsort(-bests[: end - begin])
        failed = False
        for turn in range(end - begin):
            n = turn if scan else turns[turn]
            s = visits[begin + n] if scan else places[n]
            if s < 0:
                continue
            threshold = reached(heap, size, shared)
            empty = len(allowed) > 0 and not anybody(allowed, s)
            if empty or superblock_bounds[s] * 1024 < threshold * raise_superblock:
                work[3] += 1
                continue
            if work[0] >= budget:
                work[6] += 1
                continue
            own = slice(s * width, (s + 1) * width)
            first = s * SUPERBLOCK
            documents = documents_of(s, n_docs)
            narrow = superblock_bounds[s] <= 65535  # no sum of this superblock can exceed its bound
            if scan or pause > 0:
                pause = max(0, pause - 1)
                if narrow:
                    size = scan_superblock(
                        data, data16, starts[own], lengths[own], rows[own], weights, alive, first, documents, threshold,
                        ordinals, base, sums16, maxima16, counts, keys, buffers, heap, size, work,
                    )  # fmt: skip
                else:
                    size = scan_superblock(
                        data, data16, starts[own], lengths[own], rows[own], weights, alive, first, documents, threshold,
                        ordinals, base, sums32, maxima32, counts, keys, buffers, heap, size, work,
                    )  # fmt: skip
            else:
                if ((bests[n] << shift) * share) >> 10 < threshold:
                    work[2] += 1
                    continue
                bounds = all_bounds[n * ROW : n * ROW + (documents + BLOCK - 1) // BLOCK]
                scanned, blind = work[1], not sample and size < len(heap)
                following = own  # nothing worth asking for
                if turn + 1 < end - begin and places[turns[turn + 1]] >= 0:
                    s = places[turns[turn + 1]]
                    following = slice(s * width, (s + 1) * width)
                size = prune_superblock(
                    data, data16, row_data, starts[own], lengths[own], greatest[own], rows[own], weights,
                    starts[following], lengths[following], rows[following], documents_of(s, n_docs), shift, alive,
                    allowed, first, documents, threshold, share, strategy == AUTO, sample, bounds, rests[n],
                    bests[n] << shift,
                    ordinals, base,
                    buffers, whole, sums16, sums32, scores, maxima32, counts, keys, worth, order, heap, size, work,
                )  # fmt: skip
                if strategy == AUTO and len(allowed) == 0:
                    if work[1] > scanned and not blind:
                        pause = patience
                        patience = min(2 * patience, _PATIENCE)
                        failed = True
                    else:
                        patience = 1
            if size == len(heap):
                shared[0] = max(shared[0], heap[0] >> 32)
        begin = end
        step = max(1, step // 4) if failed else min(_BATCH, 4 * step + 1)
    return size
