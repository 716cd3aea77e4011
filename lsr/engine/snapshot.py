"""One committed generation, open for reading: it does not change while it is held, whatever a writer does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lsr.documents import Document
from lsr.engine.segments import OpenSegment, SegmentPool
from lsr.errors import CorruptionError, OutdatedError
from lsr.index.options import EXACT, SearchOptions
from lsr.index.search import Queries, Top, search_many, search_segments
from lsr.index.segment import Segment
from lsr.store.filters import compile_filter
from lsr.store.records import SegmentRow
from lsr.store.store import Store
from lsr.store.witness import Witness, read_witness, require_committed
from lsr.vectors import SparseVectors

#: A writer may drop a segment between our reading of the list and our opening of the file; then there is a newer list.
_ATTEMPTS = 5
#: Filters whose documents a generation remembers.
_FILTERS_KEPT = 8
#: Queries from which on a table of all document frequencies pays, and the highest term that it may have.
_OFTEN, _LARGEST_TABLE = 4, 4_000_000


class Snapshot:
    """A generation of the index in `folder`: its statistics, its segments, its documents.

    Thread-safe. Segments are mapped and the store's transaction is open, so a later commit or merge takes nothing away.

    Parameters
    ----------
    folder : Path
    pool : SegmentPool, optional
        Where other generations of the same index in this process have their segments from.

    Raises
    ------
    CorruptionError, FormatVersionError
        A segment is missing, of another version, or damaged in its header or structure; a commit has been lost. What
        lies within the segments' arrays is compared by `verify`.
    """

    def __init__(self, folder: Path, pool: SegmentPool | None = None) -> None:
        noted = read_witness(folder)
        self._pool = pool or SegmentPool(folder)
        self._store = Store(folder, write=False)
        self._lock = threading.Lock()
        self._opened: list[OpenSegment] = []
        self._text_frequencies: NDArray[np.int64] | None = None
        self._frequencies: NDArray[np.int64] | None = None
        self._asked = 0
        self._filtered: dict[str, list[NDArray[np.uint8]]] = {}
        try:
            for attempt in range(_ATTEMPTS):
                self._store.begin_snapshot()
                self.state = self._store.state()
                self.rows: list[SegmentRow] = self._store.segments()
                try:
                    self._require_complete(folder, noted)
                    for row in self.rows:
                        self._opened.append(self._pool.take(row))
                    break
                except (CorruptionError, OutdatedError):
                    self._close_segments()
                    self._store.end_snapshot()
                    if attempt == _ATTEMPTS - 1 or self._store.state().generation == self.state.generation:
                        raise
            self.segments: list[Segment] = [opened.segment for opened in self._opened]
            self._alive = [row.alive() for row in self.rows]
            self._dead = [row.dead_counts() for row in self.rows if row.dead is not None]
        except BaseException:
            self.close()
            raise

    def _require_complete(self, folder: Path, noted: Witness | None) -> None:
        require_committed(folder, self._store.witness(), noted)
        if (living := sum(row.living for row in self.rows)) != self.state.documents:
            raise CorruptionError(
                self._store.path,
                f"its commit has {self.state.documents} documents, its segments {living}",
                remedy="restore a snapshot, or try `lsr check DIR --repair`",
            )

    @property
    def unverified_bytes(self) -> int:
        """Bytes of segments whose checksums have not been compared in this process."""
        return sum(opened.size for opened in self._opened if not opened.verified)

    def verify(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Compare the checksums of all segments that were not yet; costs nothing where all were.

        Raises `CorruptionError` for the first that is damaged.
        """
        for opened in self._opened:
            opened.verify(stop)

    @property
    def generation(self) -> int:
        return self.state.generation

    @property
    def unit(self) -> float:
        """The weight that impact 1 stands for."""
        return self.state.ceiling / 255

    def text_frequencies(self, terms: NDArray[np.uint32], dim: int) -> NDArray[np.int64]:
        """int64 ndarray as long as `terms`: live documents whose text holds each, for encoders that expand."""
        with self._lock:
            if self._text_frequencies is None:
                self._text_frequencies = self._store.frequencies(dim)
        return self._text_frequencies[terms]

    def document_frequencies(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64 ndarray as long as `terms`: live documents that are indexed with each."""
        if self._frequencies is not None:
            known = terms < len(self._frequencies)
            return np.where(known, self._frequencies[np.where(known, terms, 0)], 0)
        self._asked += 1
        if self._asked == _OFTEN:
            self._frequencies = self._all_frequencies()
        total = np.zeros(len(terms), np.int64)
        for segment in self.segments:
            total += segment.document_frequencies(terms)
        for dead_terms, counts in self._dead:
            places = np.searchsorted(dead_terms, terms)
            known = places < len(dead_terms)
            known[known] = dead_terms[places[known]] == terms[known]
            total[known] -= counts[places[known]]
        return total

    def _all_frequencies(self) -> NDArray[np.int64] | None:
        """int64 ndarray by term, of the living; None where terms are too far apart for a table."""
        highest = max((int(segment.terms[-1]) for segment in self.segments if len(segment.terms)), default=0)
        if highest > _LARGEST_TABLE:
            return None
        table = np.zeros(highest + 1, np.int64)
        for segment in self.segments:
            table[segment.terms] += segment.frequencies
        for terms, counts in self._dead:
            table[terms] -= counts
        return table

    def search(
        self,
        terms: NDArray[np.uint32],
        integers: NDArray[np.uint32],
        k: int,
        allowed: Sequence[NDArray[np.uint8]] | None = None,
        options: SearchOptions = EXACT,
    ) -> Top:
        """See `search_segments`; `allowed`, of `self.allowed`, leaves other documents out."""
        for opened in self._opened:
            opened.require_whole()
        alive = self._alive if allowed is None else allowed
        return search_segments(self.segments, alive, terms, integers, k, options)

    def search_many(self, queries: Queries, k: int, options: SearchOptions = EXACT, threads: int = 1) -> list[Top]:
        """What `search` finds for each of many queries, see `lsr.index.search.search_many`."""
        for opened in self._opened:
            opened.require_whole()
        return search_many(self.segments, self._alive, queries, k, options, threads)

    def allowed(self, filter: Mapping[str, Any]) -> list[NDArray[np.uint8]]:
        """For each segment, uint8 ndarray of shape (documents,): 1 for live documents that the filter matches.

        All documents are read for it, once a filter: the last few are kept. Raises `InvalidFilterError`.
        """
        wanted = compile_filter(filter)
        key = repr(filter)
        if (known := self._filtered.get(key)) is not None:
            return known
        ordinals = np.array([ordinal for ordinal, document in self._scan() if wanted(document)], np.int64)
        found = self._bitmaps(ordinals)
        with self._lock:
            self._filtered[key] = found
            if len(self._filtered) > _FILTERS_KEPT:
                del self._filtered[next(iter(self._filtered))]
        return found

    def _bitmaps(self, ordinals: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        result = []
        for row, segment in zip(self.rows, self.segments, strict=True):
            low, high = np.searchsorted(ordinals, [row.first, row.last + 1])
            bitmap = np.zeros(row.documents, np.uint8)
            bitmap[segment.places(ordinals[low:high])] = 1
            bitmap.flags.writeable = False  # searches remember what they learn of it
            result.append(bitmap)
        return result

    def impacts(self, ordinal: int, terms: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """uint8 ndarray as long as `terms`: the impact of each in one document, which must be in this generation."""
        for segment in self.segments:
            if (place := segment.locate(ordinal)) is not None:
                return segment.impacts_of(place, terms)
        raise KeyError(ordinal)

    def documents(self, ordinals: Sequence[int]) -> list[Document]:
        with self._lock:
            return self._store.documents(ordinals)

    def ids(self, ordinals: Sequence[int]) -> list[str]:
        with self._lock:
            return self._store.ids(ordinals)

    def vectors(self, dim: int) -> Iterator[tuple[NDArray[np.int64], SparseVectors]]:
        """Ordinals and encoded vectors of all live documents, in batches."""
        batches = self._store.vectors(dim)
        while True:
            with self._lock:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def all_documents(self) -> Iterator[Document]:
        """Every live document in the order of insertion."""
        return (document for _, document in self._scan())

    def _scan(self) -> Iterator[tuple[int, Document]]:
        """Every live document with its ordinal; other threads get at the store in between."""
        documents = self._store.scan()
        while True:
            with self._lock:
                batch = list(islice(documents, 256))
            if not batch:
                return
            yield from batch

    def distinct_terms(self) -> int:
        """How many terms occur in the segments, dead documents included."""
        if not self.segments:
            return 0
        return len(np.unique(np.concatenate([segment.terms for segment in self.segments])))

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """Ordinals of those ids that are there."""
        with self._lock:
            return {id: ordinal for id, (ordinal, _) in self._store.find(ids).items()}

    def settings(self) -> dict[str, str]:
        """What was fixed when the index was made."""
        with self._lock:
            return self._store.settings()

    def copy_store(self, path: Path) -> None:
        """Write this generation's store to a new file."""
        with self._lock:
            self._store.copy_to(path)

    def open_file(self, row: SegmentRow) -> IO[bytes]:
        """A segment's file, open for reading: its bytes are compared, and those that this generation has mapped.

        It may have been merged away by name; the handle that the mapping keeps open leads to it still.
        """
        opened = self._opened[self.rows.index(row)]
        opened.verify()
        return opened.reopen()

    def _close_segments(self) -> None:
        for opened in self._opened:
            self._pool.release(opened)
        self._opened = []
        self.segments = []

    def close(self) -> None:
        self._close_segments()
        self._store.end_snapshot()
        self._store.close()
