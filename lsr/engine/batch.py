"""A transaction in progress: what several callers change, gathered into one commit and one new segment.

Knows rows and vectors. Knows nothing of threads, locks or files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.engine.segments import SegmentPool
from lsr.errors import CorruptionError, DocumentNotFoundError, OutdatedError
from lsr.store.codec import checksum
from lsr.store.records import SegmentRow, State
from lsr.store.store import Store
from lsr.vectors import SparseVectors

#: Ordinals, ascending, and a row for each.
Rows = tuple[NDArray[np.int64], SparseVectors]


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything of a batch that is not in the store's transaction; immutable, so that to undo is to keep the old.

    state : State
        Of the generation that is being made; its number is still that of the last.
    rows : the live segments, as far as documents in them have died
    fresh : documents that no segment holds yet
    broken : names of segments that must be built anew from the store
    counts : document frequencies of queries' words, None where they are as stored
    """

    state: State
    rows: tuple[SegmentRow, ...]
    fresh: tuple[Rows, ...] = ()
    broken: frozenset[str] = frozenset()
    counts: NDArray[np.int64] | None = None
    changed: bool = False


class Batch:
    """Changes of documents within one transaction of the store."""

    def __init__(self, store: Store, encoder: Encoder, pool: SegmentPool) -> None:
        self.store = store
        self.encoder = encoder
        self._pool = pool
        self.changes = Changes(store.state(), tuple(store.segments()))

    @property
    def generation(self) -> int:
        """Of the commit that this batch becomes; of the last one where it changes nothing so far."""
        return self.changes.state.generation + self.changes.changed

    def find(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Ordinal and checksum of the content of those ids that are there."""
        return self.store.find(ids)

    def add(self, documents: Sequence[Document], bodies: Mapping[str, bytes], encoded: SparseVectors) -> int:
        """Add documents with their vectors, one row each, in place of those with their ids; returns how many were."""
        replaced = [ordinal for ordinal, _ in self.store.find([document.id for document in documents]).values()]
        self._bury(replaced)
        self._count([document.content for document in documents], 1)
        ordinals = self.store.insert({document.id: bodies[document.id] for document in documents}, encoded)
        state = self.changes.state
        state = dataclasses.replace(state, documents=state.documents + len(documents))
        if self.encoder.length_normalised:
            length = float(encoded.weights.sum(dtype=np.float64))
            state = dataclasses.replace(state, total_length=state.total_length + length)
        elif encoded.nnz:
            state = dataclasses.replace(state, max_weight=max(state.max_weight, float(encoded.weights.max())))
        self._change(state=state, fresh=(*self.changes.fresh, (ordinals, encoded)))
        return len(replaced)

    def delete(self, ordinals: Sequence[int]) -> None:
        """Take documents out, which must be there."""
        if len(ordinals):
            self._bury(list(ordinals))
            self._change()

    def patch(self, bodies: Mapping[str, bytes]) -> None:
        """Other JSON for documents that are there, by id; their vectors stay."""
        known = self.store.find(list(bodies))
        for id in bodies:
            if id not in known:
                raise DocumentNotFoundError(f"no document has the id {id!r}")
        other = {known[id][0]: body for id, body in bodies.items() if checksum(body) != known[id][1]}
        if other:
            self.store.put_bodies(other)
            self._change()

    def mend(self, names: frozenset[str]) -> None:
        """Have these segments, where they are still live, built anew from the store."""
        names &= {row.name for row in self.changes.rows}
        if names:
            self._change(broken=self.changes.broken | names)

    def _change(self, **fields: object) -> None:
        self.changes = dataclasses.replace(self.changes, changed=True, **fields)  # type: ignore[arg-type]

    def _bury(self, ordinals: list[int]) -> None:
        """Take documents out of the store and mark them dead in their segments, or drop them from the fresh."""
        if not ordinals:
            return
        gone = np.sort(np.array(ordinals, np.int64))
        vectors = self.store.vectors_at(gone.tolist(), self.encoder.dim)
        rows, broken = [], self.changes.broken
        for row in self.changes.rows:
            low, high = np.searchsorted(gone, [row.first, row.last + 1])
            if low < high and row.name not in broken:
                try:
                    row = row.bury(self._places(row, gone[low:high]), vectors[low:high].terms)
                except (CorruptionError, OutdatedError):
                    broken |= {row.name}  # what it is built anew from no longer holds the dead
            rows.append(row)
        fresh = []
        for numbers, batch in self.changes.fresh:
            stays = ~np.isin(numbers, gone)
            fresh.append((numbers, batch) if stays.all() else (numbers[stays], batch[np.flatnonzero(stays)]))
        if self.encoder.expands:
            self._count([document.content for document in self.store.documents(gone.tolist())], -1)
        self.store.remove(gone.tolist())
        state = dataclasses.replace(self.changes.state, documents=self.changes.state.documents - len(gone))
        if self.encoder.length_normalised:
            length = float(vectors.weights.sum(dtype=np.float64))
            state = dataclasses.replace(state, total_length=state.total_length - length)
        self._change(state=state, rows=tuple(rows), fresh=tuple(fresh), broken=broken)

    def _places(self, row: SegmentRow, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        opened = self._pool.take(row)
        try:
            opened.verify()
            return opened.segment.places(ordinals)
        finally:
            self._pool.release(opened)

    def _count(self, texts: Sequence[str], sign: int) -> None:
        """Add texts to the document frequencies of queries' words, or take them out."""
        if self.encoder.expands:
            dim = self.encoder.dim
            counts = self.store.frequencies(dim) if self.changes.counts is None else self.changes.counts
            present = np.bincount(self.encoder.query_counts(texts).terms, minlength=dim)
            self.changes = dataclasses.replace(self.changes, counts=counts + sign * present)
