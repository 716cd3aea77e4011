"""The loops of choosing hits: from sums of documents to the k greatest keys. The same rules as in kernels.py.

A key is score << 32 | (2**32 - 1 - ordinal): of equal scores the lower ordinal has the greater key, and keys are
unique. The k greatest so far are a min-heap, in whose first place is the least of them.
"""

from __future__ import annotations

# Compiled in: kernels.py 6651e3a0, layout.py 8014ca03
import numpy as np
from numba import njit, types

from lsr.index.kernels import _i8_out
from lsr.index.layout import BLOCK, GROUP, GROUPS, MAX_ORDINAL

#: One heap place in so many candidates: from there on all of them are gone through at once.
_MANY = 8


@njit(types.void(_i8_out, types.int64, types.int64, types.int64), cache=True, nogil=True)
def sink(heap: np.ndarray, size: int, place: int, key: int) -> None:
    """Put `key` in at `place`, whose children are heaps, or below."""
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


@njit(types.int64(_i8_out, types.int64, types.int64), cache=True, nogil=True)
def heap_push(heap: np.ndarray, size: int, key: int) -> int:
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
    if key > heap[0]:
        sink(heap, size, 0, key)
    return size


@njit(types.void(_i8_out, types.int64, types.int64), cache=True, nogil=True)
def part_greatest(keys: np.ndarray, count: int, k: int) -> None:
    """Move the k greatest of the first `count` keys to the front, in any order; without branches that depend on them.

    Quickselect; pivots are drawn, so that no order of documents makes it slow.
    """
    low, high = 0, count
    drawn = np.uint64(count)
    # The keys before `low` are among the k greatest, those from `high` on are not.
    while low < k < high:
        drawn = drawn * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        at = low + np.int64(drawn >> np.uint64(33)) % (high - low)
        pivot = keys[at]
        keys[at] = keys[high - 1]
        keys[high - 1] = pivot
        place = low
        for i in range(low, high - 1):
            key = keys[i]
            keys[i] = keys[place]
            keys[place] = key
            place += key > pivot
        keys[high - 1] = keys[place]
        keys[place] = pivot
        if place >= k:
            high = place
        else:
            low = place + 1


@njit(types.int64(_i8_out, types.int64, _i8_out, types.int64), cache=True, nogil=True)
def offer(keys: np.ndarray, count: int, heap: np.ndarray, size: int) -> int:
    """Offer the first `count` keys to the heap; returns its new size. What is in `keys` afterwards has no meaning."""
    k = len(heap)
    if _MANY * count < k or (size + count > k and size + count > len(keys)):
        for i in range(count):
            size = heap_push(heap, size, keys[i])
        return size
    if size + count <= k:
        heap[size : size + count] = keys[:count]
        size += count
    else:
        keys[count : count + size] = heap[:size]
        part_greatest(keys, count + size, k)
        heap[:] = keys[:k]
        size = k
    for place in range(size // 2 - 1, -1, -1):
        sink(heap, size, place, heap[place])
    return size


@njit(cache=True, nogil=True)
def group_maxima(sums: np.ndarray, padded: int, maxima: np.ndarray) -> int:
    """Fill in the greatest sum of each group of documents; returns the greatest of all."""
    best = sums[0]
    for group in range(padded // GROUP):
        top = sums[group * GROUP]
        for i in range(group * GROUP + 1, (group + 1) * GROUP):
            top = max(top, sums[i])
        maxima[group] = top
        best = max(best, top)
    return np.int64(best)


@njit(cache=True, nogil=True)
def wide_maxima(maxima: np.ndarray, groups: int, tops: np.ndarray) -> int:
    """Fill in the greatest of each so many groups; returns how many these are."""
    whole = groups // GROUPS
    for wide in range(whole):
        top = maxima[wide * GROUPS]
        for i in range(wide * GROUPS + 1, (wide + 1) * GROUPS):
            top = max(top, maxima[i])
        tops[wide] = top
    if whole * GROUPS == groups:
        return whole
    tops[whole] = maxima[whole * GROUPS]
    for i in range(whole * GROUPS + 1, groups):
        tops[whole] = max(tops[whole], maxima[i])
    return whole + 1


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def take(
    sums: np.ndarray,
    alive: np.ndarray,
    first: int,
    documents: int,
    ordinals: np.ndarray,
    base: int,
    keys: np.ndarray,
    count: int,
    heap: np.ndarray,
    size: int,
) -> int:
    """Offer documents of a superblock to the heap; returns its new size. `keys` hold their `count` local numbers."""
    n = 0
    for j in range(count):
        local = keys[j]
        if local >= documents or (len(alive) > 0 and alive[first + local] == 0):
            continue
        place = first + local if len(ordinals) == 0 else np.int64(ordinals[first + local])
        keys[n] = (np.int64(sums[local]) << 32) | (np.int64(MAX_ORDINAL) - base - place)
        n += 1
    return offer(keys, n, heap, size)


@njit(cache=True, nogil=True)
def select_parts(
    sums: np.ndarray,
    numbers: np.ndarray,
    each: int,
    alive: np.ndarray,
    first: int,
    documents: int,
    threshold: int,
    ordinals: np.ndarray,
    base: int,
    keys: np.ndarray,
    heap: np.ndarray,
    size: int,
) -> int:
    """Merge the documents of some parts of a superblock, whose `sums` are whole, into the heap; returns its new size.

    `numbers` says which parts of `each` documents; the rest is as in `select`.
    """
    count = 0
    room = len(keys) - (len(heap) if 2 * len(heap) <= len(keys) else 0) - each
    for number in numbers:
        if count > room:
            size = take(sums, alive, first, documents, ordinals, base, keys, count, heap, size)
            count = 0
            if size == len(heap):
                threshold = max(threshold, heap[0] >> 32)
        low = np.int64(number) * each
        for i in range(low, low + each):
            keys[count] = i
            count += sums[i] >= threshold
    return take(sums, alive, first, documents, ordinals, base, keys, count, heap, size)


@njit(cache=True, nogil=True)
def select(
    sums: np.ndarray,
    maxima: np.ndarray,
    alive: np.ndarray,
    first: int,
    documents: int,
    threshold: int,
    ordinals: np.ndarray,
    base: int,
    counts: np.ndarray,
    keys: np.ndarray,
    numbers: np.ndarray,
    heap: np.ndarray,
    size: int,
) -> int:
    """Merge the documents of one superblock, whose `sums` are whole, into the heap; returns its new size.

    `first` is the place of the superblock's first document in the segment. `alive` is empty, or has 0 for each document
    of the segment that must not be found. `threshold` is 1 or more. `keys` and `numbers` are buffers,
    the latter of 16 bits a group.
    """
    groups = (documents + BLOCK - 1) // BLOCK * (BLOCK // GROUP)
    if len(alive) > 0 and size < len(heap):  # the threshold of group maxima must be one of the living
        for i in range(documents):
            sums[i] *= alive[first + i]
    greatest = group_maxima(sums, groups * GROUP, maxima)
    if greatest < threshold:
        return size
    tops = maxima[groups:]
    wide = wide_maxima(maxima, groups, tops)
    few = 4 * len(heap) <= wide
    if size < len(heap) and few:
        threshold = max(threshold, kth_maximum(tops, wide, greatest, len(heap), counts))
    elif size < len(heap):
        threshold = max(threshold, kth_maximum(maxima, groups, greatest, len(heap), counts))
    n = 0
    if few:
        for at in range(wide):
            if tops[at] >= threshold:
                for group in range(at * GROUPS, min((at + 1) * GROUPS, groups)):
                    numbers[n] = group
                    n += maxima[group] >= threshold
    else:
        for group in range(groups):  # without branches: there are too many hits to foresee them
            numbers[n] = group
            n += maxima[group] >= threshold
    return select_parts(sums, numbers[:n], GROUP, alive, first, documents, threshold, ordinals, base, keys, heap, size)
