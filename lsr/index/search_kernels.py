"""Many queries over one segment in one call: the entry of all search kernels."""

from __future__ import annotations

# Compiled in: directory_kernels.py b3477838, kernels.py 6651e3a0, layout.py 8014ca03, segment_kernels.py 5b65118f
import numpy as np
from numba import njit, types

from lsr.index.directory_kernels import locate, plan
from lsr.index.kernels import _i8, _i8_out, _u1, _u2, _u4
from lsr.index.layout import SUPERBLOCK
from lsr.index.segment_kernels import SCRATCH, search_segment

__all__ = ["SCRATCH", "search_queries"]

_u1_out = types.Array(types.uint8, 1, "C")

#: Query weights above this do not fit the 16-bit products that bounds are made of; such queries are scanned.
_MAX_PRUNED_WEIGHT = 255

#: Bounds are shifted by at most so many bits.
_MAX_SHIFT = 8


@njit(
    types.int64(
        _u4, _u4, _u2, _u2, _u1, _i8, _u4, _u1, _u2, _u1, _u1, _u4, types.int64, types.int64, _u1, _u1, types.int64,
        _i8, _u4, _u4, types.int64, types.int64, types.int64, types.int64, types.int64,
        types.int64, types.int64, types.int64, types.int64, _u1_out, _i8_out, _i8_out, _i8_out, _i8_out,
    ),
    cache=True, nogil=True,
)  # fmt: skip
def search_queries(
    terms: np.ndarray,
    borders: np.ndarray,
    supers: np.ndarray,
    counts: np.ndarray,
    peaks: np.ndarray,
    data_starts: np.ndarray,
    row_starts: np.ndarray,
    data: np.ndarray,
    data16: np.ndarray,
    row_data: np.ndarray,
    kth: np.ndarray,
    ordinals: np.ndarray,
    n_docs: int,
    base: int,
    alive: np.ndarray,
    allowed: np.ndarray,
    n_living: int,
    indptr: np.ndarray,
    asked: np.ndarray,
    weights: np.ndarray,
    begin: int,
    end: int,
    part: int,
    parts: int,
    strategy: int,
    depth: int,
    raise_superblock: int,
    raise_block: int,
    budget: int,
    scratch: np.ndarray,
    shared: np.ndarray,
    heaps: np.ndarray,
    sizes: np.ndarray,
    work: np.ndarray,
) -> int:
    """Merge the top-k of the queries `begin` to `end` in one segment into their heaps.

    Returns -1, or the number of a term whose part of the directory cannot be right; nothing is followed then.

    Parameters
    ----------
    terms … ordinals
        The arrays of the segment; `data16` is `data` as 16-bit numbers; `ordinals` empty for places themselves.
    alive : uint8 ndarray, empty or a byte a document
        0 for documents that must not be found.
    allowed : uint8 ndarray, empty or a byte a block
        0 for blocks without any document that may be found.
    n_living : int
        Documents that may be found.
    indptr, asked, weights
        Query q has the terms, ascending, and weights from `indptr[q]` to `indptr[q + 1]`.
    part, parts : int
        Of the superblocks in their order, only every `parts`-th, from `part` on.
    strategy : SCAN, PRUNE or AUTO
    depth : int
        The column of `kth` that tells of k documents, -1 where none does or documents are left out.
    raise_superblock, raise_block : int
        By so many 1,024ths bounds must exceed the threshold; 1,024 is exact.
    budget : int
        Postings to be scored; superblocks that come after are left out, and the work says so.
    scratch : uint8 ndarray of SCRATCH bytes
    shared : int64 ndarray, one a query
        A score, 1 or more, that k documents are known to have: the greatest that any thread has reached.
    heaps : int64 ndarray of shape (queries × k,)
        Keys: score << 32 | (2**32 - 1 - ordinal).
    sizes : int64 ndarray, one a query
        Keys in each heap.
    work : int64 ndarray of shape (queries × 7,)
        Counted up: postings scored, superblocks scanned, pruned, skipped, blocks bounded, blocks scored, superblocks
        left out.
    """
    n_super = (n_docs + SUPERBLOCK - 1) // SUPERBLOCK
    k = len(heaps) // len(sizes)
    widest = np.int64(0)
    for q in range(begin, end):
        widest = max(widest, indptr[q + 1] - indptr[q])
    starts = np.empty(n_super * widest, np.int64)
    lengths, greatest = np.empty(n_super * widest, np.int32), np.empty(n_super * widest, np.int32)
    rows, numbers = np.empty(n_super * widest, np.int32), np.empty(widest, np.int32)
    bounds, visits, found = np.empty(n_super, np.int64), np.empty(n_super, np.int64), np.empty(3, np.int64)
    for q in range(begin, end):
        own = slice(indptr[q], indptr[q + 1])
        width = indptr[q + 1] - indptr[q]
        slots = n_super * width
        damaged = locate(
            asked[own], terms, borders, supers, counts, peaks, data_starts, row_starts, n_docs, starts[:slots],
            lengths[:slots], greatest[:slots], rows[:slots], numbers[:width],
        )  # fmt: skip
        if damaged >= 0:
            return damaged
        plan(
            numbers[:width], lengths[:slots], greatest[:slots], weights[own], kth, depth, _MAX_PRUNED_WEIGHT,
            _MAX_SHIFT, bounds, visits, found,
        )  # fmt: skip
        shared[q] = max(shared[q], found[2])
        chosen = visits[: found[0]]
        if parts > 1:
            chosen = chosen[part::parts].copy()
        sizes[q] = search_segment(
            data, data16, row_data, n_docs, chosen, bounds, starts[:slots], lengths[:slots], greatest[:slots],
            rows[:slots], weights[own], found[1], alive, allowed, n_living, ordinals, base, strategy, raise_superblock,
            raise_block, budget, scratch, shared[q : q + 1], heaps[q * k : (q + 1) * k], sizes[q],
            work[q * 7 : (q + 1) * 7],
        )  # fmt: skip
    return -1
