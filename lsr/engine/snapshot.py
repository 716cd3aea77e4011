"""One committed generation, open for reading: it does not change while it is held, whatever a writer does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.documents import Document
from lsr.errors import CorruptionError
from lsr.index.search import Top, search_segments
from lsr.index.segment import Segment
from lsr.store.records import SegmentRow
from lsr.store.schema import SEGMENT_FOLDER
from lsr.store.store import Store
from lsr.vectors import SparseVectors

#: A writer may drop a segment between our reading of the list and our opening of the file; then there is a newer list.
_ATTEMPTS = 5


class Snapshot:
    """A generation of the index in `folder`: its statistics, its segments, its documents.

    Thread-safe. Segments are mapped and the store's transaction is open, so a later commit or merge takes nothing away.
    """

    def __init__(self, folder: Path, *, verify: bool = True) -> None:
        self._store = Store(folder, write=False)
        self._lock = threading.Lock()
        self.segments: list[Segment] = []
        self._text_frequencies: NDArray[np.int64] | None = None
        try:
            for attempt in range(_ATTEMPTS):
                self._store.begin_snapshot()
                self.state = self._store.state()
                self.rows: list[SegmentRow] = self._store.segments()
                try:
                    for row in self.rows:
                        path = folder / SEGMENT_FOLDER / row.name
                        self.segments.append(Segment(path, expected=row.file, verify=verify))
                    break
                except CorruptionError:
                    self._close_segments()
                    self._store.end_snapshot()
                    if attempt == _ATTEMPTS - 1 or self._store.state().generation == self.state.generation:
                        raise
            self._alive = [row.alive() for row in self.rows]
            self._dead = [row.dead_counts() for row in self.rows if row.dead is not None]
        except BaseException:
            self.close()
            raise

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
        total = np.zeros(len(terms), np.int64)
        for segment in self.segments:
            total += segment.document_frequencies(terms)
        for dead_terms, counts in self._dead:
            places = np.searchsorted(dead_terms, terms)
            known = places < len(dead_terms)
            known[known] = dead_terms[places[known]] == terms[known]
            total[known] -= counts[places[known]]
        return total

    def search(self, terms: NDArray[np.uint32], integers: NDArray[np.uint32], k: int) -> Top:
        """See `search_segments`."""
        return search_segments(self.segments, self._alive, terms, integers, k)

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

    def distinct_terms(self) -> int:
        """How many terms occur in the segments, dead documents included."""
        if not self.segments:
            return 0
        return len(np.unique(np.concatenate([segment.terms for segment in self.segments])))

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """Ordinals of those ids that are there."""
        with self._lock:
            return {id: ordinal for id, (ordinal, _) in self._store.find(ids).items()}

    def _close_segments(self) -> None:
        for segment in self.segments:
            segment.close()
        self.segments = []

    def close(self) -> None:
        self._close_segments()
        self._store.end_snapshot()
        self._store.close()
