"""The loops of searching: compiled by numba, plain arrays in, plain arrays filled. No validation, no policy, no Python.

The caller (search.py) guarantees every bound that is relied on here; tests/index/oracle.py has the slow obvious
version. Importing this module loads the compiled code, or compiles it: go through compile.py, which can say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from lsr.index.layout import GROUP, MAX_ORDINAL, SUPERBLOCK

_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u2 = types.Array(types.uint16, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8 = types.Array(types.int64, 1, "C", readonly=True)
_i8_out = types.Array(types.int64, 1, "C")
_u2_out = types.Array(types.uint16, 1, "C")
_u4_out = types.Array(types.uint32, 1, "C")


@njit(types.int64(_i8_out, types.int64, types.int64), cache=True, nogil=True)
def heap_push(heap: np.ndarray, size: int, key: np.int64) -> int:
    """Offer `key` to the min-heap `heap[:size]` of at most `len(heap)` greatest keys; returns the new size."""
    if size < len(heap):
        place = size
        while place > 0:
            parent = (place - 1) >> 1
            if heap[parent] <= key:
                break
            heap[place] = heap[parent]
            place = parent
        heap[place] = key
        return size + 1
    if key <= heap[0]:
        return size
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    return size


@njit(types.void(_u4, _i8, _u4, _i8_out), cache=True, nogil=True)
def find_lists(lists: np.ndarray, borders: np.ndarray, terms: np.ndarray, entries: np.ndarray) -> None:
    """Fill `entries[s * len(terms) + j]` with the list of term j in superblock s, or -1 where it has none there.

    `lists[borders[s]:borders[s + 1]]` are the terms of superblock s, ascending, and so are `terms`.
    """
    for s in range(len(borders) - 1):
        low = borders[s]
        for j in range(len(terms)):
            high = borders[s + 1]
            while low < high:
                middle = (low + high) >> 1
                if lists[middle] < terms[j]:
                    low = middle + 1
                else:
                    high = middle
            found = low < borders[s + 1] and lists[low] == terms[j]
            entries[s * len(terms) + j] = low if found else -1


def _each_width(signature: Callable[[Any], Any]) -> list[Any]:
    """The signatures of a kernel that works on 16-bit and on 32-bit sums."""
    return [signature(_u2_out), signature(_u4_out)]


@njit(
    _each_width(lambda sums: types.void(sums, _u2, _u1, types.int64, types.int64, types.uint32)), cache=True, nogil=True
)
def add_list(sums: np.ndarray, docs: np.ndarray, impacts: np.ndarray, low: int, high: int, weight: int) -> None:
    """Add weight × impact of the postings from `low` to `high` to the sums of their documents.

    The caller knows that no sum exceeds the width of `sums`.
    """
    for p in range(low, high):
        sums[docs[p]] += weight * impacts[p]


@njit(_each_width(lambda sums: types.void(sums, types.int64, sums, _i8_out)), cache=True, nogil=True)
def group_maxima(sums: np.ndarray, padded: int, maxima: np.ndarray, greatest: np.ndarray) -> None:
    """The greatest sum of each group of documents, and in `greatest[0]` the greatest of all."""
    best = sums[0]
    for group in range(padded // GROUP):
        top = sums[group * GROUP]
        for i in range(group * GROUP + 1, (group + 1) * GROUP):
            top = max(top, sums[i])
        maxima[group] = top
        best = max(best, top)
    greatest[0] = best


@njit(
    _each_width(lambda sums: types.int64(sums, types.int64, types.int64, types.int64, _i8_out)), cache=True, nogil=True
)
def kth_maximum(maxima: np.ndarray, groups: int, greatest: int, k: int, counts: np.ndarray) -> int:
    """A score that k documents reach, as high as `counts` buckets tell, 1 at least: k groups have a maximum of it.

    The documents of k group maxima are k different ones, so that nothing below can be among the k best.
    """
    if groups < k:
        return 1
    shift = 0
    while (greatest >> shift) >= len(counts):
        shift += 1
    counts[:] = 0
    for group in range(groups):
        counts[maxima[group] >> shift] += 1
    reached = 0
    for bucket in range(greatest >> shift, 0, -1):
        reached += counts[bucket]
        if reached >= k:
            return bucket << shift
    return 1


@njit(
    _each_width(
        lambda sums: types.int64(
            sums, sums, types.int64, types.int64, types.int64, _u4, types.int64, _i8_out, types.int64
        )
    ),
    cache=True,
    nogil=True,
)
def collect(
    sums: np.ndarray,
    maxima: np.ndarray,
    count: int,
    first: int,
    threshold: int,
    ordinals: np.ndarray,
    base: int,
    heap: np.ndarray,
    size: int,
) -> int:
    """Offer every document of a superblock with a sum of `threshold` (1 or more) to the heap; returns its new size."""
    for group in range((count + GROUP - 1) // GROUP):
        if maxima[group] < threshold:
            continue
        for i in range(group * GROUP, min((group + 1) * GROUP, count)):
            if sums[i] < threshold:
                continue
            # Of equal scores the lower ordinal has the greater key.
            place = np.int64(MAX_ORDINAL) - base - np.int64(ordinals[first + i])
            size = heap_push(heap, size, (np.int64(sums[i]) << 32) | place)
            if size == len(heap):
                threshold = max(threshold, heap[0] >> 32)
    return size


@njit(
    _each_width(
        lambda sums: types.int64(
            _u2, _u1, _i8, types.int64, _i8, _u4, _u1, types.int64, types.int64, _u4, types.int64,
            sums, sums, _i8_out, _i8_out, types.int64,
        )
    ),
    cache=True, nogil=True,
)  # fmt: skip
def scan_superblock(
    docs: np.ndarray,
    impacts: np.ndarray,
    starts: np.ndarray,
    superblock: int,
    entries: np.ndarray,
    weights: np.ndarray,
    alive: np.ndarray,
    count: int,
    threshold: int,
    ordinals: np.ndarray,
    base: int,
    sums: np.ndarray,
    maxima: np.ndarray,
    counts: np.ndarray,
    heap: np.ndarray,
    size: int,
) -> int:
    """Score the `count` documents of one superblock and merge them into the heap; returns its new size."""
    first = superblock * SUPERBLOCK
    padded = ((count + GROUP - 1) // GROUP) * GROUP
    sums[:padded] = 0
    for j in range(len(weights)):
        entry = entries[superblock * len(weights) + j]
        if entry >= 0:
            add_list(sums, docs, impacts, starts[entry], starts[entry + 1], weights[j])
    if len(alive) > 0:
        for i in range(count):
            sums[i] *= alive[first + i]
    greatest = np.zeros(1, np.int64)
    group_maxima(sums, padded, maxima, greatest)
    if greatest[0] < threshold:
        return size
    if size < len(heap):
        threshold = max(threshold, kth_maximum(maxima, padded // GROUP, greatest[0], len(heap), counts))
    return collect(sums, maxima, count, first, threshold, ordinals, base, heap, size)


@njit(
    types.int64(
        _u2, _u1, _i8, _u1, types.int64, _i8, _u4, _u1, _u4, types.int64,
        _u2_out, _u4_out, _u2_out, _u4_out, _i8_out, _i8_out, types.int64, _i8_out,
    ),
    cache=True, nogil=True,
)  # fmt: skip
def scan(
    docs: np.ndarray,
    impacts: np.ndarray,
    starts: np.ndarray,
    peaks: np.ndarray,
    n_docs: int,
    entries: np.ndarray,
    weights: np.ndarray,
    alive: np.ndarray,
    ordinals: np.ndarray,
    base: int,
    sums16: np.ndarray,
    sums32: np.ndarray,
    maxima16: np.ndarray,
    maxima32: np.ndarray,
    counts: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Exact top-k of one segment, term by term over superblocks, merged into `heap`.

    `entries[s * len(weights) + j]` is the list of the query's term j in superblock s, or -1 (see `find_lists`). The
    postings of list e stand at `starts[e]` to `starts[e + 1]` of `docs` (uint16, local to the superblock, ascending)
    and `impacts` (uint8); `peaks[e]` is the greatest of these impacts. `alive` (uint8 a document, 0 or 1) may be empty:
    all are. A heap key is score << 32 | (2**32 - 1 - ordinal); the caller sees to it that scores stay below 2**31.
    `sums*` hold one superblock each, `maxima*` one group each, `counts` the buckets of `kth_maximum`. `work` is counted
    up: postings scored, superblocks scanned, superblocks skipped.

    Returns the new size of the heap.
    """
    for s in range((n_docs + SUPERBLOCK - 1) // SUPERBLOCK):
        bound = np.int64(0)
        postings = np.int64(0)
        for j in range(len(weights)):
            entry = entries[s * len(weights) + j]
            if entry >= 0:
                bound += np.int64(weights[j]) * np.int64(peaks[entry])
                postings += starts[entry + 1] - starts[entry]
        threshold = 1
        if size == len(heap):
            threshold = max(threshold, int(heap[0] >> 32))
        if bound < threshold:
            work[2] += 1
            continue
        work[0] += postings
        work[1] += 1
        count = min(SUPERBLOCK, n_docs - s * SUPERBLOCK)
        if bound <= 65535:  # no sum of this superblock can exceed its bound
            size = scan_superblock(
                docs, impacts, starts, s, entries, weights, alive, count, threshold,
                ordinals, base, sums16, maxima16, counts, heap, size,
            )  # fmt: skip
        else:
            size = scan_superblock(
                docs, impacts, starts, s, entries, weights, alive, count, threshold,
                ordinals, base, sums32, maxima32, counts, heap, size,
            )  # fmt: skip
    return size
