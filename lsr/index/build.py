"""Vectors to a segment file: a stream of documents is cut into superblocks, each sorted into posting lists by a thread,
and the lists of all superblocks are brought together term by term.

Memory is bounded: what is ready waits in a `Spool`. Knows integers and arrays; what a document is stays outside.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.index.compile import load_build_kernels
from lsr.index.files import FileSummary, Parts, write_arrays
from lsr.index.layout import (
    BLOCK,
    KTH,
    MAX_ORDINAL,
    ROW,
    ROW_FROM,
    SPAN_TABLE,
    SPANNED_FROM,
    SUPERBLOCK,
)
from lsr.index.quantize import quantize_impacts
from lsr.index.spool import Spool
from lsr.vectors import SparseVectors

#: Bytes of finished lists (and, where documents are ordered, of vectors) that wait in memory; more wait in a file.
DEFAULT_MEMORY = 1 << 30

#: Bytes of lists that are brought together at a time.
_CHUNK = 1 << 25


def write_segment(
    path: Path,
    vectors: SparseVectors,
    ordinals: NDArray[np.int64],
    ceiling: float,
    *,
    reorder: bool = False,
    threads: int | None = None,
) -> FileSummary:
    """Write a segment of vectors that are in memory, see `SegmentBuilder`; the caller flushes the folder."""
    with SegmentBuilder(path, ceiling, reorder=reorder, threads=threads) as builder:
        builder.add(vectors, ordinals)
        return builder.finish()


@dataclass(frozen=True, slots=True)
class _Superblock:
    """One superblock sorted: its terms, ascending, with their counts and peaks; the bytes of lists and rows."""

    documents: int
    terms: NDArray[np.uint32]
    counts: NDArray[np.int64]
    peaks: NDArray[np.uint8]
    data: NDArray[np.uint8]
    rows: NDArray[np.uint8]


class SegmentBuilder:
    """Builds one immutable segment from a stream of documents.

    Parameters
    ----------
    path : Path
        Must not exist yet. Its folder holds what does not fit `memory` meanwhile, in files without a name.
    ceiling : float
        The weight that impact 255 stands for, the same in all segments of an index.
    reorder : bool
        Bring similar documents together (`lsr.index.ordering`), which lets searches pass over most blocks. Hits and
        their order do not depend on it. The vectors are then kept until `finish`.
    threads : int >= 1, optional
        Threads that sort; default one a processor.
    memory : int
        Bytes that may wait in memory, beyond the superblocks in work (about 16 bytes a posting of each).

    The file does not depend on `threads`, `memory` or the cuts of the stream.
    """

    def __init__(
        self,
        path: Path,
        ceiling: float,
        *,
        reorder: bool = False,
        threads: int | None = None,
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        self._path = path
        self._ceiling = ceiling
        self._reorder = reorder
        self._threads = threads or os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[Future[_Superblock]] = deque()
        self._ordinals: list[NDArray[np.int64]] = []
        self._last = -1
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]]] = []
        self._held = 0
        self._done: list[_Superblock] = []
        self._data = Spool(path.parent, np.uint8, memory)
        self._rows = Spool(path.parent, np.uint8, memory)
        self._lengths: list[NDArray[np.int64]] = []
        self._terms = Spool(path.parent, np.uint32, memory)
        self._impacts = Spool(path.parent, np.uint8, memory)
        load_build_kernels()

    def __enter__(self) -> SegmentBuilder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of threads and spooled bytes. After `finish` the file stays; before, there is none."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        for spool in (self._data, self._rows, self._terms, self._impacts):
            spool.close()
        self._done, self._waiting = [], []

    def add(self, vectors: SparseVectors, ordinals: NDArray[np.int64]) -> None:
        """Take documents in.

        Parameters
        ----------
        vectors : SparseVectors of n rows
            The weights to index, none above the ceiling. Rows may be empty.
        ordinals : int64 ndarray of shape (n,)
            What the index calls these documents: 0 to 2³² − 2, ascending over all that is added.
        """
        self.add_impacts(vectors.indptr, vectors.terms, quantize_impacts(vectors.weights, self._ceiling), ordinals)

    def add_impacts(
        self,
        indptr: NDArray[np.int64],
        terms: NDArray[np.uint32],
        impacts: NDArray[np.uint8],
        ordinals: NDArray[np.int64],
    ) -> None:
        """Take documents in whose weights are impacts of 1 to 255 already; as `add` else."""
        n = len(indptr) - 1
        if len(ordinals) != n:
            raise ValueError(f"{len(ordinals)} ordinals for {n} vectors")
        if n == 0:
            return
        if ordinals[0] <= self._last or ordinals[-1] >= MAX_ORDINAL or (np.diff(ordinals) <= 0).any():
            raise ValueError(f"ordinals must ascend within 0 and {MAX_ORDINAL - 1}")
        self._last = int(ordinals[-1])
        self._ordinals.append(np.array(ordinals, np.int64))
        if self._reorder:
            self._lengths.append(np.diff(indptr))
            self._terms.append(np.array(terms[indptr[0] : indptr[-1]]))
            self._impacts.append(np.array(impacts[indptr[0] : indptr[-1]]))
            return
        first = 0
        while first < n:
            last = min(n, first + SUPERBLOCK - self._held)
            low, high = int(indptr[first]), int(indptr[last])
            # Copies: the caller may reuse its arrays while a thread sorts.
            self._waiting.append((indptr[first : last + 1] - low, terms[low:high].copy(), impacts[low:high].copy()))
            self._held += last - first
            first = last
            if self._held == SUPERBLOCK:
                self._cut()

    def finish(self) -> FileSummary:
        """Write the file, flushed to the device; the caller flushes the folder."""
        ordinals = np.concatenate([np.zeros(0, np.int64), *self._ordinals])
        if self._reorder:
            ordinals = ordinals[self._reordered()]
        elif self._held:
            self._cut()
        while self._running:
            self._take()
        return self._write(ordinals)

    # -- superblocks ------------------------------------------------------------------------------------------------

    def _cut(self) -> None:
        """Hand the waiting documents, one superblock, to a thread."""
        waiting, self._waiting, self._held = self._waiting, [], 0
        self._submit(waiting)

    def _submit(self, parts: list[tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]]]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="lsr-build")
        while len(self._running) > self._threads:
            self._take()
        self._running.append(self._pool.submit(_sort_superblock, parts))

    def _take(self) -> None:
        """Wait for the oldest superblock and spool its bytes."""
        block = self._running.popleft().result()
        self._data.append(block.data)
        self._rows.append(block.rows)
        nothing = np.zeros(0, np.uint8)
        self._done.append(_Superblock(block.documents, block.terms, block.counts, block.peaks, nothing, nothing))

    def _reordered(self) -> NDArray[np.int64]:
        """Order all documents and sort them, superblock by superblock; returns the order."""
        from lsr.index.build_kernels import gather_rows
        from lsr.index.ordering import order_impacts

        indptr = np.zeros(sum(map(len, self._lengths)) + 1, np.int64)
        np.cumsum(np.concatenate([np.zeros(0, np.int64), *self._lengths]), out=indptr[1:])
        self._lengths = []
        terms, impacts = self._terms.array(), self._impacts.array()
        order = order_impacts(indptr, terms, impacts, threads=self._threads)
        for first in range(0, len(order), SUPERBLOCK):
            rows = order[first : first + SUPERBLOCK]
            places = np.zeros(len(rows) + 1, np.int64)
            np.cumsum(indptr[rows + 1] - indptr[rows], out=places[1:])
            row_terms, row_impacts = np.empty(int(places[-1]), np.uint32), np.empty(int(places[-1]), np.uint8)
            gather_rows(indptr, terms, impacts, rows, places, row_terms, row_impacts)
            self._submit([(places, row_terms, row_impacts)])
        return order

    # -- the file ---------------------------------------------------------------------------------------------------

    def _write(self, ordinals: NDArray[np.int64]) -> FileSummary:
        """Bring the lists of all superblocks together by term, and write everything."""
        blocks = self._done
        every = np.concatenate([np.zeros(0, np.uint32), *(block.terms for block in blocks)])
        supers = np.repeat(np.arange(len(blocks)), [len(block.terms) for block in blocks]).astype(np.uint16)
        counts = np.concatenate([np.zeros(0, np.int64), *(block.counts for block in blocks)])
        peaks = np.concatenate([np.zeros(0, np.uint8), *(block.peaks for block in blocks)])
        documents = np.array([block.documents for block in blocks], np.int64)[supers]
        sizes = _list_sizes(counts, documents)
        sources = np.cumsum(sizes) - sizes
        long = counts >= ROW_FROM
        every_row: NDArray[np.int64] = np.cumsum(long) - long

        by_term = np.argsort(every, kind="stable")
        every, supers, counts, peaks = every[by_term], supers[by_term], counts[by_term], peaks[by_term]
        sizes, sources, documents = sizes[by_term], sources[by_term], documents[by_term]
        row_sources: NDArray[np.int64] = every_row[by_term][long[by_term]]
        fresh = np.ones(len(every), bool)
        fresh[1:] = every[1:] != every[:-1]
        borders = np.append(np.flatnonzero(fresh), len(every)).astype(np.int64)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        row_ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(long[by_term])])
        kth = np.zeros(len(KTH) * (len(borders) - 1), np.uint8)
        gather = _Gather(self._data.array(), borders, sources, sizes, counts, documents, kth)
        rows = self._rows.array().reshape(-1, ROW)
        base = int(ordinals.min(initial=MAX_ORDINAL)) if len(ordinals) else 0
        consecutive = bool((ordinals == base + np.arange(len(ordinals))).all())
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        facts = {
            "documents": len(ordinals),
            "postings": int(sums[-1]),
            "superblock": SUPERBLOCK,
            "block": BLOCK,
            "ceiling": self._ceiling,
            "ordinal_base": base,
            "reordered": self._reorder,
        }
        return write_arrays(
            self._path,
            facts,
            {
                "terms": every[fresh],
                "frequencies": np.diff(sums[borders]).astype(np.uint32),
                "borders": borders.astype(np.uint32),
                "supers": supers,
                "counts": (counts - 1).astype(np.uint16),
                "peaks": peaks,
                "data_starts": ends[borders],
                "row_starts": row_ends[borders].astype(np.uint32),
                "data": Parts(np.dtype(np.uint8), int(ends[-1]), gather.pieces()),
                "kth": kth,  # after the data: it is known once these are written
                "rows": Parts(np.dtype(np.uint8), len(row_sources) * ROW, _rows_in(rows, row_sources)),
                "ordinals": np.zeros(0, np.uint32) if consecutive else (ordinals - base).astype(np.uint32),
            },
        )


def _rows_in(rows: NDArray[np.uint8], order: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    step = _CHUNK // ROW
    for first in range(0, len(order), step):
        yield rows[order[first : first + step]].ravel()


@dataclass(frozen=True, slots=True)
class _Gather:
    """The lists of superblocks, on their way into the order of terms; fills `kth` as it goes."""

    data: NDArray[np.uint8]
    borders: NDArray[np.int64]
    sources: NDArray[np.int64]
    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]
    documents: NDArray[np.int64]
    kth: NDArray[np.uint8]

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Bytes of the lists of some whole terms at a time."""
        from lsr.index.build_kernels import copy_pieces, kth_impacts

        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes)])[self.borders]
        term = 0
        while term < len(self.borders) - 1:
            after = max(term + 1, int(np.searchsorted(ends, ends[term] + _CHUNK, "right")) - 1)
            low, high = int(self.borders[term]), int(self.borders[after])
            sizes = self.sizes[low:high]
            places = np.cumsum(sizes) - sizes
            out = np.empty(int(sizes.sum()), np.uint8)
            copy_pieces(self.data, self.sources[low:high], places, sizes, out)
            borders = self.borders[term : after + 1] - low
            kth = self.kth[term * len(KTH) : after * len(KTH)]
            kth_impacts(out, borders, places, self.counts[low:high], self.documents[low:high], kth)
            yield out
            term = after


def _list_sizes(counts: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.int64]:
    """`layout.list_bytes` of each list."""
    padded = (documents + BLOCK - 1) // BLOCK * BLOCK
    plain = 3 * counts + (counts & 1)
    sizes = np.where(counts >= SPANNED_FROM, SPAN_TABLE + 2 * counts, plain)
    return np.where(3 * counts >= padded, padded, sizes)


def _sort_superblock(parts: list[tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]]]) -> _Superblock:
    from lsr.index.build_kernels import count_terms, place_postings, write_lists

    indptr = parts[0][0]
    for more, _, _ in parts[1:]:
        indptr = np.concatenate([indptr, indptr[-1] + more[1:]])
    raw, row_impacts = parts[0][1], parts[0][2]
    if len(parts) > 1:
        raw = np.concatenate([terms for _, terms, _ in parts])
        row_impacts = np.concatenate([impacts for _, _, impacts in parts])
    documents = len(indptr) - 1
    terms, numbers = _renumber(raw)
    counts = np.zeros(len(terms), np.int64)
    count_terms(numbers, counts)
    begins = np.cumsum(counts) - counts
    docs, impacts = np.empty(len(numbers), np.uint16), np.empty(len(numbers), np.uint8)
    peaks = np.zeros(len(terms), np.uint8)
    place_postings(indptr, numbers, row_impacts, begins.copy(), docs, impacts, peaks)
    sizes = _list_sizes(counts, np.full(len(counts), documents))
    places = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    data = np.zeros(int(places[-1]), np.uint8)
    rows = np.zeros(int((counts >= ROW_FROM).sum()) * ROW, np.uint8)
    write_lists(docs, impacts, begins, counts, documents, places, data, rows)
    return _Superblock(documents, terms, counts, peaks, data, rows)


def _renumber(terms: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The distinct terms, ascending, and for each given term its number among them."""
    if len(terms) == 0:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    highest = int(terms.max())
    if highest > 64 * len(terms) + (1 << 20):  # ids far apart: a table of all would cost more than sorting
        distinct, numbers = np.unique(terms, return_inverse=True)
        return distinct, numbers.astype(np.uint32)
    present = np.zeros(highest + 1, bool)
    present[terms] = True
    table = np.cumsum(present, dtype=np.uint32) - np.uint32(1)
    return np.flatnonzero(present).astype(np.uint32), table[terms]
