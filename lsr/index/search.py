"""Exact top-k over several segments: validation, buffers and the order of hits around the kernels."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidQueryError
from lsr.index.compile import kernels_loaded, load_kernels
from lsr.index.layout import BUCKETS, GROUP, MAX_ORDINAL, MAX_SCORE, SUPERBLOCK
from lsr.index.plain import scan_plainly
from lsr.index.quantize import MAX_IMPACT
from lsr.index.segment import Segment

_NOBODY_DEAD = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Work:
    """Counted work of one query: what grows with the collection, on any machine."""

    postings_scored: int
    superblocks_scanned: int
    superblocks_skipped: int


@dataclass(frozen=True, slots=True)
class Top:
    """The best documents, score falling, of equal scores the lower ordinal first.

    scores : int64 ndarray of shape (hits,), all above 0
    ordinals : int64 ndarray of shape (hits,)
    """

    scores: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    work: Work


class _Buffers(threading.local):
    """Sums and maxima of one superblock, one set a thread, reused: to allocate them costs more than short queries."""

    def __init__(self) -> None:
        self.arrays = (
            np.zeros(SUPERBLOCK, np.uint16),
            np.zeros(SUPERBLOCK, np.uint32),
            np.zeros(SUPERBLOCK // GROUP, np.uint16),
            np.zeros(SUPERBLOCK // GROUP, np.uint32),
            np.zeros(BUCKETS, np.int64),
        )


_buffers = _Buffers()


class _Budget:
    """Postings that this process may still score without numba; once spent, the kernels are worth their import."""

    def __init__(self, postings: int) -> None:
        self._left = postings
        self._lock = threading.Lock()

    def spend(self, postings: int) -> bool:
        """Whether a query of so many postings is still within the budget, from which it is then taken."""
        with self._lock:
            self._left -= max(postings, 100_000)  # a query costs something even where it finds nothing
            return self._left >= 0


_budget = _Budget(5_000_000)


def search_segments(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    terms: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    k: int,
) -> Top:
    """The k documents with the highest sums of weight × impact over all segments, exactly.

    Parameters
    ----------
    segments : sequence of Segment
    alive : sequence as long, of uint8 ndarray of shape (n_docs,) or None
        0 for documents that must not be found; None where all may be.
    terms, weights : uint32 ndarrays of shape (query terms,)
        Terms ascending and unique, integer weights of 1 and more.
    k : int >= 1

    The result does not depend on how documents are spread over segments or on their order. Releases the GIL while it
    scans; calls from several threads run side by side. The first small queries of a process are answered without
    numba, with the same result, until the kernels are worth loading.
    """
    if k < 1:
        raise InvalidQueryError(f"k is {k}, it must be 1 or more")
    if int(weights.sum(dtype=np.int64)) * MAX_IMPACT >= MAX_SCORE:
        raise InvalidQueryError(f"the query's {len(terms)} terms have weights too large to add up")
    parts = [
        (segment, _NOBODY_DEAD if living is None else living) for segment, living in zip(segments, alive, strict=True)
    ]
    if not kernels_loaded():
        postings = sum(int(segment.document_frequencies(terms).sum()) for segment in segments)
        if _budget.spend(postings):
            best = np.zeros(0, np.int64)
            for segment, living in parts:
                best = scan_plainly(segment, terms, weights, living, best, k)
            return _top(best, Work(postings, sum(len(segment.borders) - 1 for segment in segments), 0))
    load_kernels()
    from lsr.index.kernels import find_lists, scan

    heap = np.zeros(min(k, max(1, sum(segment.n_docs for segment in segments))), np.int64)
    work = np.zeros(3, np.int64)
    size = 0
    for segment, living in parts:
        entries = np.empty(((len(segment.borders) - 1) * len(terms)), np.int64)
        find_lists(segment.lists, segment.borders, terms, entries)
        size = scan(
            segment.docs,
            segment.impacts,
            segment.starts,
            segment.peaks,
            segment.n_docs,
            entries,
            weights,
            living,
            segment.ordinals,
            segment.ordinal_base,
            *_buffers.arrays,
            heap,
            size,
            work,
        )
    return _top(heap[:size], Work(*(int(count) for count in work)))


def _top(keys: NDArray[np.int64], work: Work) -> Top:
    ordered = np.sort(keys)[::-1]
    return Top(ordered >> 32, MAX_ORDINAL - (ordered & MAX_ORDINAL), work)
