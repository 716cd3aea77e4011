"""The loops of searching: compiled by numba, plain arrays in, plain arrays filled. No validation, no policy, no Python.

The caller (search.py) guarantees every bound that is relied on here; tests/index/oracle.py has the slow obvious
version. Importing this module loads the compiled code, or compiles it: go through compile.py, which can say so.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from lsr.index.layout import SUPERBLOCK

#: Documents whose best sum is found in one go.
_CHUNK = 64

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


@njit(
    types.int64(
        _u2, _u1, _i8, _u1, types.int64, types.int64, _i8, _u4, _u1, _u4, types.int64,
        _u2_out, _u4_out, _i8_out, types.int64, _i8_out,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def scan(
    docs: np.ndarray,
    impacts: np.ndarray,
    starts: np.ndarray,
    peaks: np.ndarray,
    n_terms: int,
    n_docs: int,
    query_terms: np.ndarray,
    query_weights: np.ndarray,
    alive: np.ndarray,
    ordinals: np.ndarray,
    base: int,
    sums16: np.ndarray,
    sums32: np.ndarray,
    heap: np.ndarray,
    size: int,
    work: np.ndarray,
) -> int:
    """Exact top-k of one segment, term by term over superblocks, merged into `heap`.

    Postings of superblock s and term t stand at `starts[s * n_terms + t]` to `starts[s * n_terms + t + 1]` of `docs`
    (uint16, local to the superblock, ascending) and `impacts` (uint8); `peaks[s * n_terms + t]` is the greatest of
    these impacts. `query_terms` (int64) are term numbers of this segment. `alive` (uint8 a document) may be empty:
    all are. A heap key is score << 32 | (2**32 - 1 - ordinal), so that of equal scores the lower ordinal wins, and the
    caller sees to it that scores stay below 2**31. `sums16` and `sums32` hold one superblock each. `work` is counted
    up: postings scored, superblocks scanned, superblocks skipped.

    Returns the new size of the heap.
    """
    n_superblocks = (n_docs + SUPERBLOCK - 1) // SUPERBLOCK
    n_query = len(query_terms)
    k = len(heap)
    some_dead = len(alive) > 0
    for s in range(n_superblocks):
        first = s * SUPERBLOCK
        count = min(SUPERBLOCK, n_docs - first)
        bound = np.int64(0)
        for j in range(n_query):
            bound += np.int64(query_weights[j]) * np.int64(peaks[s * n_terms + query_terms[j]])
        threshold = np.int64(1)
        if size == k:
            threshold = max(threshold, heap[0] >> 32)
        if bound < threshold:
            work[2] += 1
            continue
        work[1] += 1
        padded = ((count + _CHUNK - 1) // _CHUNK) * _CHUNK
        if bound <= 65535:
            # No sum of this superblock can exceed `bound`, so 16 bits never overflow.
            sums16[:padded] = np.uint16(0)
            for j in range(n_query):
                weight = np.uint16(query_weights[j])
                low = starts[s * n_terms + query_terms[j]]
                high = starts[s * n_terms + query_terms[j] + 1]
                work[0] += high - low
                for p in range(low, high):
                    d = docs[p]
                    sums16[d] = np.uint16(sums16[d] + np.uint16(weight * np.uint16(impacts[p])))
            for chunk in range(0, padded, _CHUNK):
                best16 = np.uint16(0)
                for i in range(chunk, chunk + _CHUNK):
                    best16 = max(best16, sums16[i])
                if np.int64(best16) < threshold:
                    continue
                for i in range(chunk, min(chunk + _CHUNK, count)):
                    score = np.int64(sums16[i])
                    if score < threshold or (some_dead and alive[first + i] == 0):
                        continue
                    key = (score << 32) | (np.int64(4294967295) - base - np.int64(ordinals[first + i]))
                    size = heap_push(heap, size, key)
                    if size == k:
                        threshold = max(np.int64(1), heap[0] >> 32)
        else:
            sums32[:padded] = np.uint32(0)
            for j in range(n_query):
                wide = np.uint32(query_weights[j])
                low = starts[s * n_terms + query_terms[j]]
                high = starts[s * n_terms + query_terms[j] + 1]
                work[0] += high - low
                for p in range(low, high):
                    d = docs[p]
                    sums32[d] = np.uint32(sums32[d] + np.uint32(wide * np.uint32(impacts[p])))
            for chunk in range(0, padded, _CHUNK):
                best32 = np.uint32(0)
                for i in range(chunk, chunk + _CHUNK):
                    best32 = max(best32, sums32[i])
                if np.int64(best32) < threshold:
                    continue
                for i in range(chunk, min(chunk + _CHUNK, count)):
                    score = np.int64(sums32[i])
                    if score < threshold or (some_dead and alive[first + i] == 0):
                        continue
                    key = (score << 32) | (np.int64(4294967295) - base - np.int64(ordinals[first + i]))
                    size = heap_push(heap, size, key)
                    if size == k:
                        threshold = max(np.int64(1), heap[0] >> 32)
    return size
