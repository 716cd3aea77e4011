"""Exact top-k over several segments: validation, threads, and approximate searches in two stages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidQueryError, InvalidSettingError
from lsr.index.compile import kernels_loaded, load_kernels
from lsr.index.hits import WORK, Queries, Top, Work
from lsr.index.layout import MAX_ORDINAL, MAX_SCORE
from lsr.index.options import EXACT, SearchOptions
from lsr.index.plain import scan_plainly
from lsr.index.quantize import MAX_IMPACT
from lsr.index.rescore import rescore
from lsr.index.running import NOTHING, Running
from lsr.index.segment import Segment

__all__ = ["Queries", "Top", "Work", "search_many", "search_segments"]

#: Most queries that a thread takes at a time.
_CHUNK = 64

#: Hits that are held at a time, of many queries.
_HELD = 1 << 22


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
                best = scan_plainly(segment, terms, weights, NOTHING if living is None else living, best, k)
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
    if threads < 1:
        raise InvalidSettingError(f"threads is {threads}, it must be 1 or more")
    if threads > 1 and options.threads > 1:
        raise InvalidSettingError(
            f"{threads} threads for queries and {options.threads} for each", remedy="leave one of them at 1"
        )
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(queries.weights, dtype=np.int64)])[queries.indptr]
    if len(queries) and int(np.diff(ends).max()) * MAX_IMPACT >= MAX_SCORE:
        _check_weights(*queries[int(np.diff(ends).argmax())])
    if len(queries) == 1 or (options.query_terms < 1 and threads == 1):
        return [search_segments(segments, alive, q[0], q[1], k, options) for q in queries.rows()]
    load_kernels()
    if options.query_terms < 1:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda q: search_segments(segments, alive, q[0], q[1], k, options), queries.rows()))
    step = max(1, _HELD // k)
    parts = (queries.part(first, first + step) for first in range(0, len(queries), step))
    return [top for part in parts for top in _search(segments, alive, part, k, options, threads)]


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
    search = Running(segments, alive, queries, min(k, max(1, sum(segment.n_docs for segment in segments))), options)
    if options.threads > 1:  # each query by all threads
        tops = []
        for number in range(len(queries)):
            one = Running(segments, alive, Queries.of([queries[number]]), search.k, options)
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


def _merged(parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]], k: int, options: SearchOptions) -> Top:
    """What several threads found of one query."""
    keys = np.sort(np.concatenate([keys for keys, _ in parts]))[-k:]
    return _top(keys, Work(*np.sum([work for _, work in parts], axis=0).tolist()), not options.approximate)


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
        search = Running([segment], [living], first, min(wanted, max(1, segment.n_docs)), options, by_place=True)
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
