"""The write path: documents in, one transaction, one commit; segments are built before the commit names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.engine.merging import merge_plan
from lsr.engine.results import AddReport
from lsr.errors import InvalidDocumentError, LsrError
from lsr.index.build import write_segment
from lsr.index.files import sync_folder
from lsr.index.layout import MAX_ORDINAL
from lsr.index.quantize import impact_ceiling
from lsr.index.segment import Segment
from lsr.store.codec import checksum
from lsr.store.durable import named_refusals
from lsr.store.records import SegmentRow, State
from lsr.store.schema import SEGMENT_FOLDER
from lsr.store.store import Store
from lsr.vectors import SparseVectors

#: A length-normalised index is computed anew when its average length has moved by more than this share.
_DRIFT = 0.1


class Writer:
    """Changes an index. The caller holds the writer's lock and serialises calls.

    Every method is one transaction: durable on return, without effect when it raises.

    Two things are the same in all segments of a generation, so that their scores can be compared: the *ceiling*, the
    weight that impact 255 stands for, and for BM25 the average length that its weights were computed with. Both follow
    the documents: the ceiling when a greater weight comes, the average when it has drifted. The segments are then built
    anew from the stored vectors. `optimize` makes both exact, so that an optimized index is a function of its live
    documents and their order alone.
    """

    def __init__(self, folder: Path, store: Store, encoder: Encoder) -> None:
        self._folder = folder / SEGMENT_FOLDER
        self._store = store
        self._encoder = encoder
        self._written: list[str] = []
        self.sweep()

    def add(self, documents: Sequence[Document], *, skip_unchanged: bool) -> AddReport:
        """Add or replace; the last of several documents with one id counts.

        With `skip_unchanged`, documents that are there already, equal in every field, are left alone.
        """
        newest = {document.id: document for document in documents}
        bodies = {id: _checked_body(document) for id, document in newest.items()}
        known = self._store.find(list(newest))
        if skip_unchanged:
            for id, (_, stored) in known.items():
                if stored == checksum(bodies[id]):
                    del newest[id]
        replaced = [known[id][0] for id in newest if id in known]
        unchanged = len(bodies) - len(newest)
        if not newest:
            return AddReport(0, 0, unchanged, self._store.state().generation)
        with self._commit() as (state, rows):
            texts = [document.content for document in newest.values()]
            encoded = self._encoder.encode_documents(texts)
            state, rows = self._bury(state, rows, replaced)
            self._count(texts, 1)
            ordinals = self._store.insert({id: bodies[id] for id in newest}, encoded)
            state = dataclasses.replace(state, documents=state.documents + len(newest))
            if self._encoder.length_normalised:
                length = float(encoded.weights.sum(dtype=np.float64))
                state = dataclasses.replace(state, total_length=state.total_length + length)
            elif encoded.nnz:
                heaviest = max(state.max_weight, float(encoded.weights.max()))
                state = dataclasses.replace(state, max_weight=heaviest)
            if self._stale(state):
                state, rows = self._rebuild(self._calibrated(state))
            else:
                state, row = self._build(state, int(ordinals[0]), int(ordinals[-1]))
                state, rows = self._merge(state, [*rows, row] if row else rows)
            self._put(state, rows)
        return AddReport(len(newest), len(replaced), unchanged, self._store.state().generation)

    def delete(self, ids: Iterable[str]) -> int:
        """Take documents out; returns how many of the ids were there."""
        ordinals = [ordinal for ordinal, _ in self._store.find(list(ids)).values()]
        if not ordinals:
            return 0
        with self._commit() as (state, rows):
            state, rows = self._bury(state, rows, ordinals)
            state, rows = self._merge(state, rows)
            self._put(state, rows)
        return len(ordinals)

    def optimize(self) -> None:
        """Merge to one segment, without the dead, with exact calibration; does nothing where that is so already."""
        state, rows = self._store.state(), self._store.segments()
        exact = self._calibrated(self._measured(state))
        if len(rows) <= 1 and all(row.dead is None for row in rows) and exact == state:
            return
        with self._commit():
            state, rows = self._rebuild(exact)
            self._put(state, rows)

    def rebuild(self) -> None:
        """Build every segment anew from the store, whatever state the files are in."""
        with self._commit() as (state, _):
            state, rows = self._rebuild(self._calibrated(self._measured(state)))
            self._put(state, rows)

    def sweep(self) -> None:
        """Remove segment files that no commit names: leavings of a crash."""
        live = {row.name for row in self._store.segments()}
        with named_refusals(self._folder):
            for path in self._folder.iterdir():
                if path.name not in live:
                    path.unlink()

    # -- the transaction ------------------------------------------------------------------------------------------

    @contextmanager
    def _commit(self) -> Iterator[tuple[State, list[SegmentRow]]]:
        """A transaction over store and segment files: what the block writes is kept with the commit or removed."""
        self._written = []
        before = self._store.segments()
        try:
            with named_refusals(self._folder), self._store.transaction():
                yield self._store.state(), before
        finally:
            # An exception does not tell that nothing was committed: Ctrl-C may come right after. The store does.
            with suppress(OSError, LsrError):  # what cannot be removed now is swept at the next opening
                live = {row.name for row in self._store.segments()}
                for name in {*self._written, *(row.name for row in before)} - live:
                    (self._folder / name).unlink(missing_ok=True)

    def _put(self, state: State, rows: list[SegmentRow]) -> None:
        """The last act of a transaction: all files are on the device before the commit names them."""
        if self._written:
            sync_folder(self._folder)
        self._store.put_segments(rows)
        self._store.put_state(dataclasses.replace(state, generation=state.generation + 1))

    # -- segments ---------------------------------------------------------------------------------------------------

    def _build(self, state: State, first: int, last: int) -> tuple[State, SegmentRow | None]:
        """One segment of the live documents from ordinal `first` to `last`; None where there is none."""
        batches = list(self._store.vectors(self._encoder.dim, first, last))
        if not batches:
            return state, None
        ordinals = np.concatenate([numbers for numbers, _ in batches])
        vectors = SparseVectors.concat([batch for _, batch in batches])
        weights = self._encoder.impacts(vectors, state.average_length)
        name = f"{state.next_segment:08d}.seg"
        self._written.append(name)
        ceiling = state.ceiling or 1.0  # documents without any term at all leave no scale to take
        file = write_segment(self._folder / name, weights, ordinals, ceiling)
        state = dataclasses.replace(state, next_segment=state.next_segment + 1)
        row = SegmentRow(name, int(ordinals[0]), int(ordinals[-1]), len(ordinals), weights.nnz, file)
        return state, row

    def _rebuild(self, state: State) -> tuple[State, list[SegmentRow]]:
        state, row = self._build(state, 0, MAX_ORDINAL)
        return state, [row] if row else []

    def _merge(self, state: State, rows: list[SegmentRow]) -> tuple[State, list[SegmentRow]]:
        """Drop and join segments as the policy says."""
        while plan := merge_plan([row.living for row in rows], [row.documents for row in rows]):
            start, stop = plan
            state, merged = self._build(state, rows[start].first, rows[stop - 1].last)
            rows = [*rows[:start], *([merged] if merged else []), *rows[stop:]]
        return state, rows

    def _bury(self, state: State, rows: list[SegmentRow], ordinals: list[int]) -> tuple[State, list[SegmentRow]]:
        """Take documents out of the store and mark them dead in their segments."""
        if not ordinals:
            return state, rows
        gone = np.sort(np.array(ordinals, np.int64))
        vectors = self._store.vectors_at(gone.tolist(), self._encoder.dim)
        result = []
        for row in rows:
            low, high = np.searchsorted(gone, [row.first, row.last + 1])
            if low < high:
                segment = Segment(self._folder / row.name, expected=row.file)
                places = segment.places(gone[low:high])
                segment.close()
                row = row.bury(places, vectors[low:high].terms)
            result.append(row)
        if self._encoder.expands:
            self._count([document.content for document in self._store.documents(gone.tolist())], -1)
        self._store.remove(gone.tolist())
        state = dataclasses.replace(state, documents=state.documents - len(gone))
        if self._encoder.length_normalised:
            length = float(vectors.weights.sum(dtype=np.float64))
            state = dataclasses.replace(state, total_length=state.total_length - length)
        return state, result

    def _count(self, texts: Sequence[str], sign: int) -> None:
        """Add texts to the document frequencies of queries' words, or take them out."""
        if self._encoder.expands:
            dim = self._encoder.dim
            present = np.bincount(self._encoder.query_counts(texts).terms, minlength=dim)
            self._store.put_frequencies(self._store.frequencies(dim) + sign * present)

    # -- calibration ------------------------------------------------------------------------------------------------

    def _stale(self, state: State) -> bool:
        """True where the segments of `state` cannot, or should not, take the documents that it counts."""
        if self._encoder.length_normalised:
            average = state.total_length / max(1, state.documents)
            return abs(average - state.average_length) > _DRIFT * state.average_length
        return state.max_weight > state.ceiling

    def _measured(self, state: State) -> State:
        """`state` with the greatest weight of the live documents in place of the greatest ever."""
        if self._encoder.length_normalised:
            return state
        batches = self._store.vectors(self._encoder.dim)
        heaviest = max((float(batch.weights.max()) for _, batch in batches if batch.nnz), default=0.0)
        return dataclasses.replace(state, max_weight=heaviest)

    def _calibrated(self, state: State) -> State:
        """`state` with ceiling and average length that fit the documents that it counts."""
        average = state.total_length / max(1, state.documents)
        if self._encoder.length_normalised:
            return dataclasses.replace(state, ceiling=1.0, average_length=average)
        ceiling = impact_ceiling(state.max_weight) if state.max_weight > 0 else 0.0
        return dataclasses.replace(state, ceiling=ceiling)


def _checked_body(document: Document) -> bytes:
    """The document's JSON, or `InvalidDocumentError`."""
    if not isinstance(document.id, str) or not document.id:
        raise InvalidDocumentError(f"a document's id is {document.id!r}, it must be a text that is not empty")
    if not (isinstance(document.text, str) and isinstance(document.title, str)):
        raise InvalidDocumentError(f"document {document.id!r}: title and text must be texts")
    if not document.content.strip():
        raise InvalidDocumentError(f"document {document.id!r} has neither title nor text")
    try:
        return document.to_json().encode()
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise InvalidDocumentError(f"document {document.id!r} cannot be stored as JSON: {error}") from None
