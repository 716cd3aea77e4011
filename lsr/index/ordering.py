"""An order of documents in which similar ones are neighbours: recursive graph bisection.

Documents of one block then share terms, so that the block's bound is close to what its documents can score, and most
blocks can be passed over. The collection is halved again and again; at each halving documents are swapped between the
halves while that lowers the modelled cost of the gaps in the postings (Dhulipala et al., "Compressing Graphs and
Indexes with Recursive Graph Bisection", KDD 2016), with the cooling and the selection without sorting of Mackenzie et
al., "Tradeoff Options for Bipartite Graph Partitioning", 2022.

Weights take part by thresholds: a term counts once for every threshold that its weight reaches. For the sum of the
greatest weights of a block is the sum, over all thresholds, of the terms that reach it somewhere in the block; so what
is divided is the graph whose edges the bounds are made of. On real vectors this made the bounds of blocks 2.7 % lower
than mere presence of terms did, from 15 % fewer postings (see `SHARES`).

Knows vectors and permutations of their rows. Knows nothing of segments, files and ordinals; who uses an order must
keep it beside the documents. Compiled code (ordering_kernels.py) is loaded at the first call, not at import.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError
from lsr.vectors import SparseVectors

#: Nodes of more documents are worked on by all threads together, smaller ones with all below them by one thread each.
SUBTREE = 16384

#: Fraction bits of the gains at most; fewer where a row is so long that 32 bits would overflow.
_FRACTION_BITS = 12

#: Measured on 17,000 encoded abstracts (blocks of 32 documents, 200 queries of 8 terms, k = 10): 32.6 % of the blocks
#: may hold a hit by their bounds; 32.4 % with (.25, .1), in .4 of the time; 35.7 % with (1.0,), presence; 59.6 % in
#: random order. With queries of 32 terms 81.7, 82.7, 83.9 and 98.7 %.
SHARES = (0.5, 0.25, 0.1)

#: Called with the share of the work that is done, 0 to 1, rising; on the calling thread.
Progress = Callable[[float], None]


def order_documents(
    vectors: SparseVectors,
    *,
    iterations: int = 20,
    leaf: int = 16,
    shares: Sequence[float] = SHARES,
    min_frequency: int = 1,
    max_frequency: float = 1.0,
    cooling: float = 0.5,
    threads: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """A permutation of the rows that brings similar ones together.

    Parameters
    ----------
    vectors : SparseVectors of n rows
    iterations : int >= 0
        Rounds of swaps at each halving at most; a halving that settles ends sooner. 0 leaves the order as it is.
    leaf : int >= 1
        Nodes of so many documents are not halved further.
    shares : sequence of float above 0 and at most 1
        The thresholds, as the share of all weights that are to reach each. (1.0,) stands for mere presence and needs no
        copy of the postings; fewer and smaller shares take less time and memory.
        Terms of fewer rows take no part.
    max_frequency : float within 0 and 1
        Terms of more than this share of the rows take no part.
    cooling : float >= 0
        Bits by which the gain that a swap must exceed rises from round to round.
    threads : int >= 1, optional
        Threads that work; default one a processor. The result does not depend on it.
    seed : int >= 0
        Chooses which documents sit out a round, which breaks symmetries.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    order : int64 ndarray of shape (n,)
        Row `order[i]` of `vectors` comes to place i.

    Memory beyond the vectors: 20 bytes a row (8 of them the result); 8 bytes a row and 4 a posting for each threshold
    that it reaches (3.4 a posting with the default; at most 7 whatever the weights; none for presence alone); for each
    thread 24 bytes a distinct term and threshold, and 8 bytes a posting of SUBTREE rows. Where term ids are far apart,
    renumbering takes 8 bytes a posting more.
    """
    settings = (
        ("iterations", iterations, 0),
        ("leaf", leaf, 1),
        ("min_frequency", min_frequency, 1),
        ("threads", 1 if threads is None else threads, 1),
        ("seed", seed, 0),
    )
    for name, value, least in settings:
        if not isinstance(value, int | np.integer) or value < least:
            raise InvalidSettingError(f"ordering: {name} is {value!r}, it must be a whole number of {least} or more")
    if len(shares) == 0 or not all(0 < share <= 1 for share in shares):
        raise InvalidSettingError(f"ordering: shares are {shares}, they must be one or more above 0 and at most 1")
    if not 0 <= max_frequency <= 1:
        raise InvalidSettingError(f"ordering: max_frequency is {max_frequency}, it must be within 0 and 1")
    if not (math.isfinite(cooling) and cooling >= 0):
        raise InvalidSettingError(f"ordering: cooling is {cooling}, it must be 0 or more")
    return _order(
        _Rows(vectors.indptr, vectors.terms, vectors.weights),
        iterations,
        leaf,
        shares,
        min_frequency,
        max_frequency,
        cooling,
        threads,
        seed,
        progress,
    )


def order_impacts(
    indptr: NDArray[np.int64],
    terms: NDArray[np.uint32],
    impacts: NDArray[np.uint8],
    *,
    iterations: int = 10,
    leaf: int = 32,
    shares: Sequence[float] = (0.25, 0.1),
    max_frequency: float = 0.5,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """The same for vectors of 8-bit impacts, which may be mappings of files: copies are made in pieces.

    With fewer rounds, two thresholds and without the terms that half of the documents hold: 365 s of CPU for 8.8
    million documents of 73 terms, 568 s at 120 terms.
    """
    rows = _Rows(indptr, terms, impacts)
    return _order(rows, iterations, leaf, shares, 1, max_frequency, 0.5, threads, 0, progress)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is ordered: rows of terms with weights of whatever number type."""

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint32]
    weights: NDArray[np.float32] | NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.indptr) - 1


def _order(
    rows: _Rows,
    iterations: int,
    leaf: int,
    shares: Sequence[float],
    min_frequency: int,
    max_frequency: float,
    cooling: float,
    threads: int | None,
    seed: int,
    progress: Progress | None,
) -> NDArray[np.int64]:
    order = np.arange(len(rows))
    if len(rows) <= leaf or iterations == 0 or len(rows.terms) == 0:
        return order
    with _workers(threads or os.cpu_count() or 1) as team:
        graph = _graph(rows, shares, min_frequency, max_frequency, team)
        _Bisection(graph, order, iterations, leaf, cooling, seed, team, progress).run()
    return order


class _Team:
    """A number of threads that run kernels; the caller waits for all."""

    def __init__(self, threads: int, pool: ThreadPoolExecutor) -> None:
        self.threads = threads
        self.pool = pool

    def over(self, count: int, work: Callable[[int, int], None]) -> None:
        """Call `work(low, high)` over pieces of 0..count, one a thread."""
        borders = [count * i // self.threads for i in range(self.threads + 1)]
        if self.threads == 1 or count < 4096:  # handing over costs as much as some thousand documents
            work(0, count)
            return
        for future in [self.pool.submit(work, *piece) for piece in itertools.pairwise(borders)]:
            future.result()


@contextmanager
def _workers(threads: int) -> Iterator[_Team]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="lsr-ordering")
    try:
        yield _Team(threads, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Graph:
    """The rows that are ordered: their borders and terms, all below `n_terms`."""

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint32]
    n_terms: int


def compact(terms: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], int]:
    """The terms, renumbered where a table of all ids up to the greatest would be out of proportion; their number."""
    highest = int(terms.max(initial=0))
    if highest <= len(terms) + (1 << 20):
        return terms, highest + 1
    distinct = np.unique(terms)
    numbers = np.empty_like(terms)
    for start in range(0, len(terms), 1 << 20):
        numbers[start : start + (1 << 20)] = np.searchsorted(distinct, terms[start : start + (1 << 20)])
    return numbers, len(distinct)


def _thresholds(rows: _Rows, shares: Sequence[float]) -> NDArray[np.float32]:
    """The distinct weights that the given shares of (at least) all weights reach, from about a million of them."""
    sample = np.sort(rows.weights[:: max(1, len(rows.weights) >> 20)]).astype(np.float32)
    least = rows.weights.min()
    return np.unique(
        np.array(
            [sample[min(int((1 - share) * len(sample)), len(sample) - 1)] if share < 1 else least for share in shares],
            np.float32,
        )
    )


_Piece = tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]

#: Rows that are copied at a time: with 120 terms, half a gigabyte of float weights would be too many for millions.
_PIECE = 1 << 16


def _graph(rows: _Rows, shares: Sequence[float], min_frequency: int, max_frequency: float, team: _Team) -> _Graph:
    """What is divided: the rows' own arrays if all takes part just once, else a copy of what does."""
    from lsr.index.ordering_kernels import copy_kept, kept_lengths

    terms, n_terms = compact(rows.terms)
    allowed = np.ones(n_terms, np.uint8)
    if min_frequency > 1 or max_frequency < 1:
        frequencies = np.zeros(n_terms, np.int64)
        for start in range(0, len(terms), 1 << 24):  # bincount widens what it counts to 64 bits
            frequencies += np.bincount(terms[start : start + (1 << 24)], minlength=n_terms)
        allowed[(frequencies < min_frequency) | (frequencies > max_frequency * len(rows))] = 0
    thresholds = _thresholds(rows, shares)
    if len(thresholds) == 1 and thresholds[0] <= rows.weights.min() and allowed.all():
        return _Graph(rows.indptr, terms, n_terms)
    if n_terms * len(thresholds) > 2**32:
        raise InvalidSettingError(f"ordering: {len(thresholds)} shares of {n_terms} terms are too many, give fewer")
    indptr = np.zeros(len(rows) + 1, np.int64)

    def pieces(
        low: int, high: int
    ) -> Iterator[tuple[int, int, tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]]]:
        for first in range(low, high, _PIECE):
            last = min(high, first + _PIECE)
            a, b = int(rows.indptr[first]), int(rows.indptr[last])
            yield first, last, (rows.indptr[first : last + 1] - a, terms[a:b], rows.weights[a:b].astype(np.float32))

    def measure(low: int, high: int) -> None:
        for first, last, piece in pieces(low, high):
            kept_lengths(*piece, allowed, thresholds, indptr[first + 1 : last + 1])

    team.over(len(rows), measure)
    np.cumsum(indptr, out=indptr)
    kept = np.empty(int(indptr[-1]), np.uint32)

    def copy(low: int, high: int) -> None:
        for first, last, piece in pieces(low, high):
            copy_kept(*piece, allowed, thresholds, indptr[first : last + 1], kept)

    team.over(len(rows), copy)
    return _Graph(indptr, kept, n_terms * len(thresholds))


class _Bisection:
    """One run: the settings in the kernels' units, the buffers of the wide nodes, the way down the tree."""

    def __init__(
        self,
        graph: _Graph,
        order: NDArray[np.int64],
        iterations: int,
        leaf: int,
        cooling: float,
        seed: int,
        team: _Team,
        progress: Progress | None,
    ) -> None:
        from lsr.index import ordering_kernels

        self._kernels = ordering_kernels
        self._graph, self._order, self._team = graph, order, team
        self._iterations, self._leaf = iterations, leaf
        self._salt = (seed * 0x9E3779B1 + (seed >> 32)) & 0xFFFFFFFF
        self._progress = progress
        self._depth = max(1.0, math.log2(len(order) / leaf))
        self._done = 0.0
        # No gain of a term exceeds 2 log2(n) + 4 bits; sums of a row, and the cooling, stay within 30 bits.
        longest = int(np.diff(graph.indptr).max(initial=1))
        bits = int(math.log2(2**30 / (max(1, longest) * (2 * math.log2(len(order)) + 4))))
        if bits < 0:
            raise InvalidSettingError(f"ordering: a row has {longest} terms, more than can be added up")
        self._unit = float(2 ** min(_FRACTION_BITS, bits))
        self._cooling = min(round(cooling * self._unit), 2**29 // max(1, iterations))
        self._marginals = np.empty(min(SUBTREE, len(order)) + 2, np.int32)
        ordering_kernels.fill_marginals(self._marginals, self._unit)

    def run(self) -> None:
        """Wide nodes first, each by all threads; then the subtrees, each by one."""
        wide, subtrees = [(0, len(self._order))], []
        if len(self._order) > SUBTREE:
            self._allocate_wide()
        while wide:
            low, high = wide.pop()
            if high - low <= SUBTREE:
                subtrees.append((low, high))
                continue
            middle = low + self._kernels.split_point(high - low)
            self._bisect_wide(low, middle, high)
            wide += [(low, middle), (middle, high)]
            self._report(high - low)
        futures: dict[Future[None], tuple[int, int]] = {}
        for low, high in sorted(subtrees):
            futures[self._team.pool.submit(self._order_subtree, low, high)] = (low, high)
        for future in as_completed(futures):
            future.result()
            low, high = futures[future]
            self._report((high - low) * max(0.0, math.log2((high - low) / self._leaf)))

    def _report(self, work: float) -> None:
        """Count so many documents times levels as done."""
        if self._progress is not None:
            self._done = min(1.0, self._done + work / (len(self._order) * self._depth))
            self._progress(self._done)

    def _order_subtree(self, low: int, high: int) -> None:
        graph, order = self._graph, self._order[low:high]
        nnz = int((graph.indptr[order + 1] - graph.indptr[order]).sum())
        self._kernels.order_subtree(
            graph.indptr,
            graph.terms,
            order,
            np.zeros(graph.n_terms, np.int32),
            self._marginals,
            self._unit,
            self._cooling,
            self._iterations,
            self._leaf,
            self._salt,
            nnz,
        )

    def _allocate_wide(self) -> None:
        n, n_terms = len(self._order), self._graph.n_terms
        self._values = np.empty(n, np.int32)
        self._from_left = np.empty(n // 2 + self._kernels.ALIGN, np.int32)
        self._from_right = np.empty(n // 2 + self._kernels.ALIGN, np.int32)
        self._counts = np.empty(self._kernels.BUCKETS, np.int64)
        self._left = np.empty(n_terms, np.int32)
        self._total = np.empty(n_terms, np.int32)
        self._rightward = np.empty(n_terms, np.int32)
        self._leftward = np.empty(n_terms, np.int32)

    def _count(
        self, degrees: NDArray[np.int32], count: int, kernel: Callable[[int, int, NDArray[np.int32]], None]
    ) -> None:
        """Add up `kernel(low, high, degrees)` over pieces of 0..count; whole numbers, so in any order."""
        parts: list[NDArray[np.int32]] = []

        def piece(low: int, high: int) -> None:
            part = np.zeros(len(degrees), np.int32)
            parts.append(part)
            kernel(low, high, part)

        self._team.over(count, piece)
        for part in parts:
            degrees += part

    def _bisect_wide(self, low: int, middle: int, high: int) -> None:
        kernels, graph = self._kernels, self._graph
        order = self._order[low:high]
        n, n_left = high - low, middle - low
        values, left, total = self._values[:n], self._left, self._total

        def count_rows(first: int) -> Callable[[int, int, NDArray[np.int32]], None]:
            return lambda a, b, part: kernels.count_degrees(
                graph.indptr, graph.terms, order[first + a : first + b], part
            )

        def count_moved(places: NDArray[np.int32], step: int) -> Callable[[int, int, NDArray[np.int32]], None]:
            return lambda a, b, part: kernels.count_moved(graph.indptr, graph.terms, order, places[a:b], step, part)

        def sum_gains(a: int, b: int) -> None:
            cut = min(max(a, n_left), b)
            kernels.sum_gains(graph.indptr, graph.terms, order[a:cut], self._rightward, 1, offset, values[a:cut])
            kernels.sum_gains(graph.indptr, graph.terms, order[cut:b], self._leftward, -1, 0, values[cut:b])

        left[:] = 0
        self._count(left, n_left, count_rows(0))
        total[:] = left
        self._count(total, n - n_left, count_rows(n_left))
        for iteration in range(self._iterations):
            offset = iteration * self._cooling
            kernels.wide_tables(left, total, n_left, n - n_left, self._unit, self._rightward, self._leftward)
            self._team.over(n, sum_gains)
            pairs = kernels.choose_moves(
                values,
                order,
                n_left,
                kernels.round_salt(self._salt, iteration),
                self._counts,
                self._from_left,
                self._from_right,
            )
            if pairs < 0:
                break
            kernels.swap(order, self._from_left, self._from_right, pairs)
            self._count(left, pairs, count_moved(self._from_left[:pairs], 1))
            self._count(left, pairs, count_moved(self._from_right[:pairs], -1))
