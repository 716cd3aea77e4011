"""Queries on their way through the search kernels: buffers, arguments, and what was found so far.

Knows what the kernels take. Which thread asks for what, and whether a query is legal, is search.py's.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.index.hits import WORK, Queries, Top, Work
from lsr.index.layout import BLOCK, KTH, MAX_ORDINAL
from lsr.index.options import STRATEGIES, SearchOptions
from lsr.index.segment import Segment

NOTHING = np.zeros(0, np.uint8)
_NO_ORDINALS = np.zeros(0, np.uint32)


#: What kernels need beside their arguments, for as many calls as ran at once: allocating takes longer than a query.
_spare: list[NDArray[np.uint8]] = []


class Running:
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
        self._alive = [NOTHING if living is None else living for living in alive]
        self._limits = [
            (NOTHING, segment.n_docs) if living is None else _summary(living)
            for segment, living in zip(segments, alive, strict=True)
        ]
        depth = bisect_left(KTH, k)
        self._depth = depth if depth < len(KTH) else -1
        count = len(queries)
        self.heaps = np.empty(count * k, np.int64)
        numbers = np.zeros(count * (WORK + 2), np.int64)
        self._shared, self.sizes, self.work = numbers[:count], numbers[count : 2 * count], numbers[2 * count :]
        self._shared[:] = 1

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
        from lsr.index.search_kernels import SCRATCH, search_queries

        kernel: Callable[..., int] = search_queries
        try:
            scratch = _spare.pop()
        except IndexError:
            scratch = np.zeros(SCRATCH, np.uint8)
        options, queries = self._options, self._queries
        for segment, living, (allowed, count) in zip(self._segments, self._alive, self._limits, strict=True):
            damaged = kernel(
                *segment.for_kernels,
                _NO_ORDINALS if self._by_place else segment.stored_ordinals,
                segment.n_docs,
                0 if self._by_place else segment.ordinal_base,
                living,
                allowed,
                count,
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
        _spare.append(scratch)

    def tops(self) -> list[Top]:
        """What was found for each query."""
        work = [Work._make(row) for row in self.work.reshape(-1, WORK).tolist()]
        exact = not self._options.approximate
        if len(work) == 1:
            return [Top(*ranked(self.heaps[: self.sizes[0]]), work[0], exact)]
        heaps = self.heaps.reshape(-1, self.k)
        for number in np.flatnonzero(self.sizes < self.k).tolist():
            heaps[number, self.sizes[number] :] = -1  # below every key
        scores, ordinals = ranked(heaps)
        return [
            Top(scores[number, :size], ordinals[number, :size], work[number], exact)
            for number, size in enumerate(self.sizes.tolist())
        ]


def ranked(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Scores and ordinals of keys, the best first in each row; the keys are sorted in place."""
    keys.sort()
    falling = keys[..., ::-1]
    return falling >> 32, MAX_ORDINAL - (falling & MAX_ORDINAL)


#: Of bitmaps, while they exist: their blocks and how many they let pass.
_known: dict[int, tuple[weakref.ref[NDArray[np.uint8]], NDArray[np.uint8], int]] = {}


def _summary(documents: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """`_allowed_blocks` of a bitmap, and how many may be found; remembered where nobody can write to it."""
    key = id(documents)
    found = _known.get(key)
    if found is not None and found[0]() is documents:
        return found[1:]
    summary = _allowed_blocks(documents), int(np.count_nonzero(documents))
    if documents.flags.owndata and not documents.flags.writeable:
        _known[key] = weakref.ref(documents, lambda _: _known.pop(key, None)), *summary
    return summary


def _allowed_blocks(living: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A byte a block, 0 where nobody may be found; empty where that rules few blocks out."""
    documents = len(living)
    if 2 * np.count_nonzero(living) >= documents:  # so somebody is in half of the blocks at least
        return NOTHING
    padded = np.zeros(-(-documents // BLOCK) * BLOCK, np.uint8)
    padded[:documents] = living
    words = padded.view(np.uint64).reshape(-1, BLOCK // 8)
    blocks: NDArray[np.bool_] = np.bitwise_or.reduce(words.T, axis=0) > 0
    return NOTHING if 2 * np.count_nonzero(blocks) > len(blocks) else blocks.astype(np.uint8)
