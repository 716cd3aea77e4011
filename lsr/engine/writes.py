"""The writing half of `Index`: a call becomes a change of a batch, committed alone or with those of other threads."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.engine.batch import Batch
from lsr.engine.generations import Generations
from lsr.engine.merger import MOST_SEGMENTS, Merger
from lsr.engine.preparing import checked_body, checked_vectors, last_of_each, merge_patch, rows_of
from lsr.engine.results import AddReport
from lsr.engine.writer import Writer
from lsr.errors import (
    DocumentNotFoundError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidSettingError,
    LsrError,
    ReadOnlyIndexError,
)
from lsr.store.codec import checksum
from lsr.store.filters import compile_filter
from lsr.store.lock import WriterLock
from lsr.vectors import SparseVectors

log = logging.getLogger("lsr.engine")

#: What a write waits for.
WAIT = ("searchable", "committed")


class IndexWrites:
    """What changes an index. `Index` has the attributes, and says what they are."""

    path: Path
    encoder: Encoder
    _lock: WriterLock | None
    _writer: Writer | None
    _merger: Merger | None
    _generations: Generations | None
    _encoding: threading.Lock

    @contextmanager
    def _write(self, wait: str = "searchable") -> Iterator[Writer]:
        writer = self._writer
        if wait not in WAIT:
            raise InvalidSettingError(f"wait is {wait!r}", remedy=f"it is one of {', '.join(WAIT)}")
        if writer is None:
            if self._lock is None:
                raise ReadOnlyIndexError(f"{self.path} is open for reading", remedy="open it with writable=True")
            raise ReadOnlyIndexError(f"{self.path} is closed", remedy="open it again")
        try:
            yield writer
        finally:  # after an exception too: an interrupt may come right after the commit
            if wait == "searchable" and self._generations is not None:
                self._generations.require(writer.generation)
        if self._merger is not None and writer.count > MOST_SEGMENTS:
            self._merger.settle(lambda: writer.count)

    def _committed(self, generation: int) -> None:
        if self._merger is not None:
            self._merger.wake()

    def _mend(self, error: LsrError) -> bool:
        """Build anew what is damaged or of an earlier format; False where it is not a segment."""
        writer = self._writer
        if writer is None:
            return False
        if names := writer.unusable():
            log.warning("%s: %s", self.path, error)
            writer.mend(names)
            if self._generations is not None:
                self._generations.require(writer.generation)
        return bool(names)

    @property
    def mended(self) -> tuple[str, ...]:
        """Names of segments that this object found damaged, or of an earlier format, and built anew from the store."""
        return () if self._writer is None else tuple(self._writer.mended)

    def add(
        self, documents: Iterable[Document], *, skip_unchanged: bool = False, wait: str = "searchable"
    ) -> AddReport:
        """Add documents, or replace those of the same ids, in one transaction; durable on return.

        Of several documents with one id the last counts. With `skip_unchanged`, documents that are there already,
        equal in every field, are not encoded again. With `wait` = `committed`, searches see them after the next
        `refresh`; with `searchable`, the default, from now on.

        Raises
        ------
        ReadOnlyIndexError, InvalidDocumentError, DiskFullError
            Nothing is changed then.
        DeviceFailedError
            Whether it is changed is known after the index has been opened again; until then nothing more is written
            (`WriterStoppedError`).
        """
        given = list(documents)
        newest = {id: given[place] for id, place in last_of_each(given).items()}
        bodies = {id: checked_body(document) for id, document in newest.items()}
        encoded: SparseVectors | None = None
        with self._write(wait) as writer:
            if newest and not (skip_unchanged or self.encoder.needs_terms):
                with self._encoding:
                    encoded = self.encoder.encode_documents([document.content for document in newest.values()])

            def work(batch: Batch) -> AddReport:
                chosen = newest
                if skip_unchanged:
                    known = batch.find(list(newest))
                    same = {id for id, (_, stored) in known.items() if stored == checksum(bodies[id])}
                    chosen = {id: document for id, document in newest.items() if id not in same}
                if not chosen:
                    return AddReport(0, 0, len(newest), batch.generation)
                vectors = encoded
                if vectors is None:
                    vectors = self.encoder.encode_documents([document.content for document in chosen.values()])
                replaced = batch.add(list(chosen.values()), bodies, vectors)
                return AddReport(len(chosen), replaced, len(newest) - len(chosen), batch.generation)

            return writer.run(work)

    def add_vectors(
        self,
        documents: Sequence[Document],
        vectors: SparseVectors,
        *,
        fingerprint: str | None,
        wait: str = "searchable",
    ) -> AddReport:
        """Add documents that are encoded already, or replace those of the same ids; else as `add`.

        Parameters
        ----------
        documents : sequence of Document
            They may be without title and text.
        vectors : SparseVectors, one row a document
            What the index's encoder gives for them: weights, or term counts for BM25.
        fingerprint : str
            Of the encoder that made them, which must be the index's.

        Raises
        ------
        EncoderMismatchError, InvalidVectorsError
            Besides the errors of `add`.
        """
        places = last_of_each(documents)
        chosen = [documents[place] for place in places.values()]
        bodies = {document.id: checked_body(document, needs_content=False) for document in chosen}
        checked_vectors(documents, vectors, fingerprint, self.encoder)
        rows = rows_of(vectors, list(places.values()))
        with self._write(wait) as writer:

            def work(batch: Batch) -> AddReport:
                replaced = batch.add(chosen, bodies, rows) if chosen else 0
                return AddReport(len(chosen), replaced, 0, batch.generation)

            return writer.run(work)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,
        wait: str = "searchable",
    ) -> int:
        """Take documents out, in one transaction; returns how many.

        Parameters
        ----------
        ids : iterable of str, optional
            Those that are not there are passed over.
        filter : mapping, optional
            Instead of ids: all documents that it matches, see `lsr.store.filters`.
        """
        if (ids is None) == (filter is None) or isinstance(ids, str):
            raise InvalidFilterError("a deletion takes either a list of ids or a filter")
        wanted = None if filter is None else compile_filter(filter)
        listed = list(ids or ())
        with self._write(wait) as writer:

            def work(batch: Batch) -> int:
                if wanted is not None:
                    ordinals = batch.store.matching(wanted).tolist()
                else:
                    ordinals = [ordinal for ordinal, _ in batch.find(listed).values()]
                batch.delete(ordinals)
                return len(ordinals)

            return writer.run(work)

    def patch(
        self, changes: Mapping[str, Mapping[str, Any]], *, replace: bool = False, wait: str = "searchable"
    ) -> None:
        """Change documents' metadata, in one transaction, without encoding anything again.

        Parameters
        ----------
        changes : mapping of str to mapping
            For each id a JSON Merge Patch (RFC 7396) of its metadata: None removes a key, objects are entered.
        replace : bool
            The mappings are the whole new metadata instead.

        Raises
        ------
        DocumentNotFoundError, InvalidDocumentError
            Nothing is changed then.
        """
        for id, change in changes.items():
            if not isinstance(change, Mapping):
                raise InvalidDocumentError(f"document {id!r}: its metadata must be a dict, not {change!r}")
        with self._write(wait) as writer:

            def work(batch: Batch) -> None:
                known = batch.find(list(changes))
                if missing := [id for id in changes if id not in known]:
                    raise DocumentNotFoundError(f"no document has the id {missing[0]!r}")
                bodies = {}
                for document in batch.store.documents([known[id][0] for id in changes]):
                    change = changes[document.id]
                    metadata = dict(change) if replace else merge_patch(document.metadata, change)
                    changed = dataclasses.replace(document, metadata=metadata)
                    bodies[document.id] = checked_body(changed, needs_content=False)
                batch.patch(bodies)

            writer.run(work)

    def optimize(self, *, reorder: bool = False) -> None:
        """Merge all segments to one, drop what is dead, and make scale and average length exact.

        With `reorder`, similar documents are brought together as well (recursive graph bisection, about a minute for a
        million documents of 120 terms on two cores): searches of large indexes then pass over most of them. Hits and
        their order stay as they are. Later merges put their documents back into the order of insertion.
        """
        with self._write() as writer:
            writer.optimize(reorder=reorder)

    def rebuild(self) -> None:
        """Build every segment anew from the store."""
        with self._write() as writer:
            writer.rebuild()

    def mend(self, names: Iterable[str]) -> None:
        """Build these segments anew from the store."""
        with self._write() as writer:
            writer.mend(names)

    def settle(self) -> None:
        """Wait until the merges that are due have been done."""
        if self._merger is not None:
            self._merger.settle()
