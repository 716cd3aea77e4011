"""Exact top-k over several segments: validation, buffers, strategies and the order of hits around the kernels."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidQueryError, InvalidSettingError
from lsr.index.compile import kernels_loaded, load_kernels
from lsr.index.layout import BLOCK, KTH, MAX_ORDINAL, MAX_SCORE
from lsr.index.options import EXACT, STRATEGIES, SearchOptions
from lsr.index.plain import scan_plainly
from lsr.index.quantize import MAX_IMPACT
from lsr.index.rescore import rescore
from lsr.index.segment import Segment

_NOTHING = np.zeros(0, np.uint8)
_NO_ORDINALS = np.zeros(0, np.uint32)

#: Most queries that a thread takes at a time.
_CHUNK = 64


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


#: Numbers in a `Work`.
WORK = 7


@dataclass(frozen=True, slots=True)
class Queries:
    """Many queries: that of number q has the terms, ascending, and weights from `indptr[q]` to `indptr[q + 1]`.

    indptr : int64 ndarray of shape (queries + 1,)
    terms, weights : uint32 ndarrays
    """

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint32]
    weights: NDArray[np.uint32]

    @classmethod
    def of(cls, rows: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> Queries:
        """Queries of (terms, weights) each."""
        nothing = np.zeros(0, np.uint32)
        indptr = np.cumsum([0, *(len(terms) for terms, _ in rows)], dtype=np.int64)
        terms = np.concatenate([nothing, *(terms for terms, _ in rows)])
        return cls(indptr, terms, np.concatenate([nothing, *(weights for _, weights in rows)]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, number: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        own = slice(int(self.indptr[number]), int(self.indptr[number + 1]))
        return self.terms[own], self.weights[own]


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


class _Scratch(threading.local):
    """What kernels need beside their arguments, one array a thread, reused: allocating takes longer than a query."""

    def __init__(self) -> None:
        from lsr.index.search_kernels import SCRATCH

        self.bytes = np.zeros(SCRATCH, np.uint8)


_scratch: _Scratch | None = None


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
    _check_k(k)
    _check_weights(terms, weights)
    if not kernels_loaded():
        postings = sum(int(segment.document_frequencies(terms).sum()) for segment in segments)
        if _budget.spend(postings):
            best = np.zeros(0, np.int64)
            for segment, living in zip(segments, alive, strict=True):
                best = scan_plainly(segment, terms, weights, _NOTHING if living is None else living, best, k)
            scanned = sum(segment.n_superblocks for segment in segments)
            return _top(best, Work(postings_scored=postings, superblocks_scanned=scanned))
    load_kernels()
    queries = Queries(np.array([0, len(terms)], np.int64), terms, weights)
    if options.query_terms < 1 and len(terms) > 1:
        return _two_stages(segments, alive, queries, k, options)
    return _search(segments, alive, queries, k, options, 1)[0]


def search_many(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    queries: Queries,
    k: int,
    options: SearchOptions = EXACT,
    threads: int = 1,
) -> list[Top]:
    """What `search_segments` finds for each query, many at a time in compiled code.

    `threads` share the queries; with more than one, `options.threads` must be 1. Releases the GIL while it searches.

    Raises
    ------
    InvalidQueryError, InvalidSettingError, CorruptionError
    """
    _check_k(k)
    if threads > 1 and options.threads > 1:
        raise InvalidSettingError(
            f"{threads} threads for queries and {options.threads} for each", remedy="leave one of them at 1"
        )
    for number in range(len(queries)):
        _check_weights(*queries[number])
    load_kernels()
    if options.query_terms < 1:
        return [search_segments(segments, alive, *queries[number], k, options) for number in range(len(queries))]
    return _search(segments, alive, queries, k, options, threads)


def _check_k(k: int) -> None:
    if k < 1:
        raise InvalidQueryError(f"k is {k}, it must be 1 or more")


def _check_weights(terms: NDArray[np.uint32], weights: NDArray[np.uint32]) -> None:
    if int(weights.sum(dtype=np.int64)) * MAX_IMPACT >= MAX_SCORE:
        raise InvalidQueryError(f"the query's {len(terms)} terms have weights too large to add up")


def _search(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    queries: Queries,
    k: int,
    options: SearchOptions,
    threads: int,
) -> list[Top]:
    search = _Search(segments, alive, queries, min(k, max(1, sum(segment.n_docs for segment in segments))), options)
    if options.threads > 1:  # each query by all threads
        tops = []
        for number in range(len(queries)):
            one = _Search(segments, alive, Queries.of([queries[number]]), search.k, options)
            with ThreadPoolExecutor(options.threads) as pool:
                parts = list(pool.map(one.part, range(options.threads)))
            tops.append(_merged(parts, search.k, options))
        return tops
    if threads == 1 or len(queries) <= 1:
        search.run(0, len(queries))
        return search.tops()
    step = max(1, min(_CHUNK, len(queries) // (4 * threads)))
    begins = iter(range(0, len(queries), step))

    def work(_: int) -> None:
        for begin in begins:  # an iterator hands each number to one thread
            search.run(begin, min(begin + step, len(queries)))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return search.tops()


class _Search:
    """Some queries on some segments, and what was found so far."""

    def __init__(
        self,
        segments: Sequence[Segment],
        alive: Sequence[NDArray[np.uint8] | None],
        queries: Queries,
        k: int,
        options: SearchOptions,
        by_place: bool = False,
    ) -> None:
        self.k, self._queries, self._options, self._by_place = k, queries, options, by_place
        self._segments = segments
        self._alive = [_NOTHING if living is None else living for living in alive]
        self._allowed = [_allowed_blocks(living) for living in self._alive]
        self._depth = next((place for place, depth in enumerate(KTH) if depth >= k), -1)
        self._shared = np.ones(len(queries), np.int64)
        self.heaps = np.empty(len(queries) * k, np.int64)
        self.sizes = np.zeros(len(queries), np.int64)
        self.work = np.zeros(len(queries) * WORK, np.int64)

    def run(self, begin: int, end: int) -> None:
        """Search all segments for the queries `begin` to `end`."""
        self._kernel(begin, end, 0, 1, self.heaps, self.sizes, self.work)

    def part(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Keys and work of one thread of those that share the superblocks of a single query."""
        heap, size, work = np.empty(self.k, np.int64), np.zeros(1, np.int64), np.zeros(WORK, np.int64)
        self._kernel(0, 1, number, self._options.threads, heap, size, work)
        return heap[: size[0]], work

    def _kernel(
        self,
        begin: int,
        end: int,
        part: int,
        parts: int,
        heaps: NDArray[np.int64],
        sizes: NDArray[np.int64],
        work: NDArray[np.int64],
    ) -> None:
        global _scratch
        from lsr.index.search_kernels import search_queries

        if _scratch is None:
            _scratch = _Scratch()
        scratch = _scratch.bytes
        options, queries = self._options, self._queries
        for segment, living, allowed in zip(self._segments, self._alive, self._allowed, strict=True):
            damaged = search_queries(
                segment.terms,
                segment.borders,
                segment.supers,
                segment.counts,
                segment.peaks,
                segment.data_starts,
                segment.row_starts,
                segment.data,
                segment.data16,
                segment.rows,
                segment.kth,
                _NO_ORDINALS if self._by_place else segment.stored_ordinals,
                segment.n_docs,
                0 if self._by_place else segment.ordinal_base,
                living,
                allowed,
                queries.indptr,
                queries.terms,
                queries.weights,
                begin,
                end,
                part,
                parts,
                STRATEGIES[options.strategy],
                -1 if len(living) else self._depth,
                round(options.overestimate_superblocks * 1024),
                round(options.overestimate * 1024),
                options.max_postings or 2**62,
                scratch,
                self._shared,
                heaps,
                sizes,
                work,
            )
            if damaged >= 0:
                raise segment.damaged_directory(damaged)

    def tops(self) -> list[Top]:
        """What was found for each query."""
        from lsr.index.search_kernels import rank_hits

        scores, ordinals = np.empty((2, len(self.heaps)), np.int64)
        rank_hits(self.heaps, self.sizes, scores, ordinals)
        exact, k, work, tops = not self._options.approximate, self.k, self.work.tolist(), []
        for number, size in enumerate(self.sizes.tolist()):
            own = slice(number * k, number * k + size)
            counted = Work(*work[number * WORK : (number + 1) * WORK])
            tops.append(Top(scores[own], ordinals[own], counted, exact))
        return tops


def _merged(parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]], k: int, options: SearchOptions) -> Top:
    """What several threads found of one query."""
    keys = np.sort(np.concatenate([keys for keys, _ in parts]))[-k:]
    return _top(keys, Work(*np.sum([work for _, work in parts], axis=0).tolist()), not options.approximate)


def _allowed_blocks(living: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A byte a block, 0 where nobody may be found; empty where that rules few blocks out."""
    documents = len(living)
    if 2 * np.count_nonzero(living) >= documents:  # so somebody is in half of the blocks at least
        return _NOTHING
    padded = np.zeros(-(-documents // BLOCK) * BLOCK, np.uint8)
    padded[:documents] = living
    words = padded.view(np.uint64).reshape(-1, BLOCK // 8)
    blocks: NDArray[np.bool_] = np.bitwise_or.reduce(words.T, axis=0) > 0
    return _NOTHING if 2 * np.count_nonzero(blocks) > len(blocks) else blocks.astype(np.uint8)


def _two_stages(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.uint8] | None],
    queries: Queries,
    k: int,
    options: SearchOptions,
) -> Top:
    """Candidates of each segment for one query by its heaviest terms, then their whole scores."""
    terms, weights = queries[0]
    kept = max(1, round(options.query_terms * len(terms)))
    heaviest = np.sort(np.argsort(-weights.astype(np.int64), kind="stable")[:kept])
    first = Queries.of([(terms[heaviest], weights[heaviest])])
    wanted = round(options.candidates * k)
    total = np.zeros(WORK, np.int64)
    keys = [np.zeros(0, np.int64)]
    for segment, living in zip(segments, alive, strict=True):
        search = _Search([segment], [living], first, min(wanted, max(1, segment.n_docs)), options, by_place=True)
        search.run(0, 1)
        total += search.work
        places = MAX_ORDINAL - (search.heaps[: search.sizes[0]] & MAX_ORDINAL)
        scores = rescore(segment, places, terms, weights)
        keys.append((scores << 32) | (MAX_ORDINAL - segment.ordinal_base - segment.ordinals_at(places)))
    best = np.sort(np.concatenate(keys))[-k:]
    return _top(best, Work(*total.tolist()), exact=False)


def _top(keys: NDArray[np.int64], work: Work, exact: bool = True) -> Top:
    ordered = np.sort(keys)[::-1]
    return Top(ordered >> 32, MAX_ORDINAL - (ordered & MAX_ORDINAL), work, exact)
