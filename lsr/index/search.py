"""Exact top-k over several segments: validation, buffers, strategies and the order of hits around the kernels."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidQueryError
from lsr.index.compile import kernels_loaded, load_kernels
from lsr.index.layout import (
    BLOCK,
    BUCKETS,
    GROUP,
    KTH,
    MAX_ORDINAL,
    MAX_SCORE,
    ROW,
    SUPERBLOCK,
)
from lsr.index.options import EXACT, STRATEGIES, SearchOptions
from lsr.index.plain import scan_plainly
from lsr.index.quantize import MAX_IMPACT
from lsr.index.rescore import rescore
from lsr.index.segment import Segment

_NOTHING = np.zeros(0, np.uint8)
_NO_ORDINALS = np.zeros(0, np.uint32)

#: Query weights above this do not fit the 16-bit products that bounds are made of; such queries are scanned.
_MAX_PRUNED_WEIGHT = 255

#: Bounds are shifted by at most so many bits.
_MAX_SHIFT = 8


@dataclass(frozen=True, slots=True)
class Work:
    """Counted work of one query: what grows with the collection, on any machine."""

    postings_scored: int = 0
    superblocks_scanned: int = 0
    superblocks_pruned: int = 0
    superblocks_skipped: int = 0
    blocks_bounded: int = 0
    blocks_scored: int = 0
    superblocks_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Top:
    """The best documents, score falling, of equal scores the lower ordinal first.

    scores : int64 ndarray of shape (hits,), all above 0
    ordinals : int64 ndarray of shape (hits,)
    exact : bool
        False where an approximate mode may have missed a better document.
    """

    scores: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    work: Work
    exact: bool = True


class _Buffers(threading.local):
    """What one superblock needs, one set a thread, reused: to allocate it costs more than short queries."""

    def __init__(self) -> None:
        self.sums = (
            np.zeros(SUPERBLOCK, np.uint16),
            np.zeros(SUPERBLOCK, np.uint32),
            np.zeros(SUPERBLOCK // GROUP, np.uint16),
            np.zeros(SUPERBLOCK // GROUP, np.uint32),
            np.zeros(BUCKETS, np.int64),
            np.zeros(ROW, np.uint16),
            np.zeros(ROW, np.uint16),
            np.zeros(ROW, np.uint16),
        )
        self._bounds = np.zeros((2, ROW), np.uint16)

    def bounds(self, blocks: int) -> NDArray[np.uint16]:
        """Two arrays of `blocks` bounds."""
        if self._bounds.shape[1] < blocks:
            self._bounds = np.zeros((2, blocks), np.uint16)
        return self._bounds[:, :blocks]


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
    options: SearchOptions = EXACT,
) -> Top:
    """The k documents with the highest sums of weight × impact over all segments.

    Parameters
    ----------
    segments : sequence of Segment
    alive : sequence as long, of uint8 ndarray of shape (n_docs,) or None
        0 for documents that must not be found; None where all may be.
    terms, weights : uint32 ndarrays of shape (query terms,)
        Terms ascending and unique, integer weights of 1 and more.
    k : int >= 1
    options : SearchOptions

    The result of an exact search does not depend on how documents are spread over segments, on their order, on the
    strategy or on threads. Releases the GIL while it searches; calls from several threads run side by side. The first
    small queries of a process are answered without numba, with the same result, until the kernels are worth loading.

    Raises
    ------
    InvalidQueryError, CorruptionError
    """
    if k < 1:
        raise InvalidQueryError(f"k is {k}, it must be 1 or more")
    if int(weights.sum(dtype=np.int64)) * MAX_IMPACT >= MAX_SCORE:
        raise InvalidQueryError(f"the query's {len(terms)} terms have weights too large to add up")
    if not kernels_loaded():
        postings = sum(int(segment.document_frequencies(terms).sum()) for segment in segments)
        if _budget.spend(postings):
            best = np.zeros(0, np.int64)
            for segment, living in zip(segments, alive, strict=True):
                best = scan_plainly(segment, terms, weights, _NOTHING if living is None else living, best, k)
            scanned = sum(segment.n_superblocks for segment in segments)
            return _top(best, Work(postings_scored=postings, superblocks_scanned=scanned))
    load_kernels()
    if options.query_terms < 1 and len(terms) > 1:
        return _two_stages(segments, alive, terms, weights, k, options)
    keys, work = _search(segments, alive, terms, weights, k, options)
    return _top(keys, work, exact=not options.approximate)


def _search(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    terms: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    k: int,
    options: SearchOptions,
) -> tuple[NDArray[np.int64], Work]:
    """Keys of the best, in any order."""
    depth = next((place for place, depth in enumerate(KTH) if depth >= k), -1)
    searches = [
        _SegmentSearch(segment, living, terms, weights, depth, options)
        for segment, living in zip(segments, alive, strict=True)
    ]
    found = min(k, max(1, sum(segment.n_docs for segment in segments)))
    floor = max([1, *(search.floor for search in searches)])
    shared = np.zeros(1, np.int64)

    def part(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        heap, work, size = np.zeros(found, np.int64), np.zeros(7, np.int64), 0
        for search in searches:
            visits = search.visits if options.threads == 1 else search.visits[number :: options.threads].copy()
            size = search.run(visits, floor, shared, heap, size, work)
        return heap[:size], work

    if options.threads == 1:
        keys, work = part(0)
    else:
        with ThreadPoolExecutor(options.threads) as pool:
            parts = list(pool.map(part, range(options.threads)))
        keys = np.sort(np.concatenate([keys for keys, _ in parts]))[-found:]
        work = np.sum([work for _, work in parts], axis=0)
    return keys, Work(*work.tolist())


class _SegmentSearch:
    """One query on one segment, prepared: where its lists are, and the order in which superblocks are visited.

    `floor` is a score that k documents have, 0 where none is known; `depth` the column of `KTH` that says so.
    """

    def __init__(
        self,
        segment: Segment,
        living: NDArray[np.uint8] | None,
        terms: NDArray[np.uint32],
        weights: NDArray[np.uint32],
        depth: int,
        options: SearchOptions,
    ) -> None:
        from lsr.index.kernels import plan

        self._segment, self._options, self._weights = segment, options, weights
        self._living = _NOTHING if living is None else living
        self._lists = segment.locate_lists(terms)
        superblocks = segment.n_superblocks
        self._priority = np.empty(len(terms), np.int32)
        bounds, visits = np.empty((2, superblocks), np.int64)
        found = np.empty(3, np.int64)
        plan(
            self._lists.numbers,
            self._lists.lengths,
            self._lists.greatest,
            weights,
            segment.kth,
            -1 if len(self._living) else depth,
            _MAX_PRUNED_WEIGHT,
            _MAX_SHIFT,
            bounds,
            visits,
            self._priority,
            found,
        )
        count, self._shift, self.floor = found.tolist()
        self.visits = visits[:count]
        self._allowed = self._allowed_blocks()

    def _allowed_blocks(self) -> NDArray[np.uint8]:
        """A byte a block, 0 where nobody may be found; empty where that rules few blocks out."""
        documents = len(self._living)
        if 2 * np.count_nonzero(self._living) >= documents:  # so somebody is in half of the blocks at least
            return _NOTHING
        padded = np.zeros(-(-documents // BLOCK) * BLOCK, np.uint8)
        padded[:documents] = self._living
        words = padded.view(np.uint64).reshape(-1, BLOCK // 8)
        blocks: NDArray[np.bool_] = np.bitwise_or.reduce(words.T, axis=0) > 0
        return _NOTHING if 2 * np.count_nonzero(blocks) > len(blocks) else blocks.astype(np.uint8)

    def run(
        self,
        visits: NDArray[np.int64],
        floor: int,
        shared: NDArray[np.int64],
        heap: NDArray[np.int64],
        size: int,
        work: NDArray[np.int64],
        by_place: bool = False,
    ) -> int:
        """Merge the hits of some superblocks into the heap; returns its new size.

        `by_place`: keys tell places in the segment instead of ordinals.
        """
        from lsr.index.search_kernels import search_superblocks

        segment, options = self._segment, self._options
        bounds, rest = _buffers.bounds(len(visits) * ROW)
        return int(
            search_superblocks(
                segment.data,
                segment.data16,
                segment.rows,
                segment.n_docs,
                visits,
                self._lists.starts,
                self._lists.lengths,
                self._lists.greatest,
                self._lists.rows,
                self._weights,
                self._priority,
                self._shift,
                self._living,
                self._allowed,
                _NO_ORDINALS if by_place else segment.stored_ordinals,
                0 if by_place else segment.ordinal_base,
                STRATEGIES[options.strategy],
                floor,
                round(options.overestimate_superblocks * 1024),
                round(options.overestimate * 1024),
                options.max_postings or 2**62,
                *_buffers.sums,
                bounds,
                rest,
                np.empty(len(visits), np.int64),
                np.empty(max(1, len(self._weights)), np.int32),
                shared,
                heap,
                size,
                work,
            )
        )


def _two_stages(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    terms: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    k: int,
    options: SearchOptions,
) -> Top:
    """Candidates of each segment by the heaviest terms, then their whole scores."""
    kept = max(1, round(options.query_terms * len(terms)))
    heaviest = np.sort(np.argsort(-weights.astype(np.int64), kind="stable")[:kept])
    wanted = round(options.candidates * k)
    shared, total = np.zeros(1, np.int64), np.zeros(7, np.int64)
    keys = [np.zeros(0, np.int64)]
    for segment, living in zip(segments, alive, strict=True):
        search = _SegmentSearch(segment, living, terms[heaviest], weights[heaviest], -1, options)
        heap = np.zeros(min(wanted, max(1, segment.n_docs)), np.int64)
        shared[0] = 0
        size = search.run(search.visits, 1, shared, heap, 0, total, by_place=True)
        places = MAX_ORDINAL - (heap[:size] & MAX_ORDINAL)
        scores = rescore(segment, places, terms, weights)
        keys.append((scores << 32) | (MAX_ORDINAL - segment.ordinal_base - segment.ordinals_at(places)))
    best = np.sort(np.concatenate(keys))[-k:]
    return _top(best, Work(*total.tolist()), exact=False)


def _top(keys: NDArray[np.int64], work: Work, exact: bool = True) -> Top:
    ordered = np.sort(keys)[::-1]
    return Top(ordered >> 32, MAX_ORDINAL - (ordered & MAX_ORDINAL), work, exact)
