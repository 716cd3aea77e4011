"""`Index`: a directory that one searches. The whole of the engine behind one class.

Knows how encoder, store, segments and queries go together; each of them knows nothing of the others.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.encoders.registry import DEFAULT_ENCODER, load_encoder
from lsr.encoders.terms import InMemoryTerms
from lsr.engine.info import describe
from lsr.engine.query import check_k, check_query, check_query_idf, float_weights, query_vectors, weigh
from lsr.engine.results import AddReport, IndexInfo, QueryTerm, SearchResponse
from lsr.engine.searching import query_terms, search_snapshot
from lsr.engine.snapshot import Snapshot
from lsr.engine.writer import Writer
from lsr.errors import (
    DocumentNotFoundError,
    EncoderMismatchError,
    InvalidQueryError,
    ReadOnlyIndexError,
)
from lsr.store.creation import create_folder
from lsr.store.lock import WriterLock
from lsr.store.records import State
from lsr.store.schema import LOCK_NAME
from lsr.store.store import Store
from lsr.store.terms import StoredTerms
from lsr.vectors import SparseVectors

#: A value of an encoder's setting.
Setting = str | int | float | bool | None


class Index:
    """A directory of documents that can be searched.

    `Index.create` makes one, `Index.open` opens it; both are context managers. Searching is thread-safe and sees one
    committed generation, which only `refresh` (or a write of one's own) changes. Writing is for one thread at a time,
    and for one process.

    Attributes
    ----------
    path : Path
    encoder : Encoder
    query_idf : str
        Which idf table weights lexical queries: `model`, `collection`, `min` or `smoothed`.
    """

    def __init__(self, path: Path, *, writable: bool, encoder: Encoder | None) -> None:
        self.path = path
        self._lock = WriterLock(path / LOCK_NAME) if writable else None
        self._store: Store | None = None
        self._snapshot: _Held | None = None
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._refreshing = threading.Lock()
        try:
            self._store = Store(path, write=writable)
            settings = self._store.settings()
            self._terms = StoredTerms(self._store)
            self.encoder = self._load_encoder(settings, encoder)
            self.query_idf = settings["query_idf"]
            self._writer = Writer(path, self._store, self.encoder) if writable else None
        except BaseException:
            self.close()
            raise

    # -- opening ----------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        *,
        encoder: str | Encoder = DEFAULT_ENCODER,
        encoder_settings: Mapping[str, Setting] | None = None,
        query_idf: str | None = None,
    ) -> Index:
        """Make an empty index and open it for writing.

        Parameters
        ----------
        path : path-like
            A directory that does not exist yet, or is empty.
        encoder : str or Encoder
            A name of `lsr.encoders.list_encoders`, a checkpoint, or an encoder made by the caller.
        encoder_settings : mapping, optional
            Keyword settings of a named encoder.
        query_idf : str, optional
            `model`, `collection`, `min` or `smoothed`; the encoder's own choice by default.

        Raises
        ------
        IndexExistsError, UnknownEncoderError, InvalidSettingError, AccessDeniedError, DiskFullError
        """
        folder = Path(path)
        if isinstance(encoder, str):
            chosen = load_encoder(encoder, settings=encoder_settings or {}, terms=InMemoryTerms())
        else:
            chosen = encoder
        query_idf = check_query_idf(query_idf or chosen.default_query_idf, chosen)
        create_folder(
            folder,
            {
                "index_id": uuid.uuid4().hex,
                "encoder": chosen.name,
                "encoder_settings": json.dumps(dict(chosen.settings), sort_keys=True),
                "fingerprint": chosen.fingerprint,
                "query_idf": query_idf,
            },
            State(),
        )
        return cls(folder, writable=True, encoder=None if chosen.needs_terms else chosen)

    @classmethod
    def open(cls, path: str | PathLike[str], *, writable: bool = False, encoder: Encoder | None = None) -> Index:
        """Open an index.

        Parameters
        ----------
        path : path-like
        writable : bool
            Take the writer's lock. Readers need none.
        encoder : Encoder, optional
            Use this one, which must have the index's fingerprint, instead of loading it by its name.

        Raises
        ------
        NotAnIndexError, FormatVersionError, CorruptionError, AccessDeniedError, EncoderMismatchError, WriterLockedError
        """
        folder = Path(path)
        Store(folder, write=False).close()  # says what is wrong with the folder before a lock file is made in it
        return cls(folder, writable=writable, encoder=encoder)

    def _load_encoder(self, settings: Mapping[str, str], given: Encoder | None) -> Encoder:
        name, fingerprint = settings["encoder"], settings["fingerprint"]
        if given is None:
            given = load_encoder(name, settings=json.loads(settings["encoder_settings"]), terms=self._terms)
        if given.fingerprint != fingerprint:
            raise EncoderMismatchError(
                f"{self.path} was built with {name!r} of fingerprint {fingerprint[:12]}, "
                f"{given.name!r} here has {given.fingerprint[:12]}",
                remedy="use the checkpoint that it was built with, or index the documents again",
            )
        return given

    def close(self) -> None:
        """Release files and lock. Searches that are under way end first."""
        with self._guard:
            held, self._snapshot = self._snapshot, None
        if held is not None:
            held.release()
        if self._store is not None:
            if self._lock is not None:
                self._store.checkpoint()
            self._store.close()
            self._store = None
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _write(self) -> Iterator[Writer]:
        if self._writer is None:
            raise ReadOnlyIndexError(f"{self.path} is open for reading", remedy="open it with writable=True")
        with self._writing:
            try:
                yield self._writer
            except BaseException:
                self._terms.forget()
                raise
            finally:  # after an exception too: an interrupt may come right after the commit
                self._drop_snapshot()

    def add(self, documents: Iterable[Document], *, skip_unchanged: bool = False) -> AddReport:
        """Add documents, or replace those of the same ids, in one transaction; durable on return.

        Of several documents with one id the last counts. With `skip_unchanged`, documents that are there already,
        equal in every field, are not encoded again.

        Raises
        ------
        ReadOnlyIndexError, InvalidDocumentError, DiskFullError
            Nothing is changed then.
        """
        with self._write() as writer:
            return writer.add(list(documents), skip_unchanged=skip_unchanged)

    def delete(self, ids: Iterable[str]) -> int:
        """Take documents out, in one transaction; returns how many of the ids were there."""
        with self._write() as writer:
            return writer.delete(ids)

    def optimize(self) -> None:
        """Merge all segments to one, drop what is dead, and make scale and average length exact."""
        with self._write() as writer:
            writer.optimize()

    def rebuild(self) -> None:
        """Build every segment anew from the store."""
        with self._write() as writer:
            writer.rebuild()

    # -- reading ----------------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The generation that this index sees, held open for the block."""
        with self._guard:
            if self._store is None:
                raise ReadOnlyIndexError(f"{self.path} is closed", remedy="open it again")
            if self._snapshot is None:
                self._snapshot = _Held(Snapshot(self.path))
            held = self._snapshot
            held.take()
        try:
            yield held.snapshot
        finally:
            held.release()

    def _drop_snapshot(self) -> None:
        with self._guard:
            held, self._snapshot = self._snapshot, None
        if held is not None:
            held.release()

    def refresh(self) -> bool:
        """See the newest generation; True where it is another than before.

        Searches go on meanwhile with what they have; where the newest generation is damaged (`CorruptionError`), they
        keep it.
        """
        with self._refreshing:
            before = self.generation
            with self._guard:
                newest = before if self._store is None else self._store.state().generation
            if newest == before:
                return False
            fresh = _Held(Snapshot(self.path))
            with self._guard:
                old, self._snapshot = self._snapshot, fresh
        if old is not None:
            old.release()
        return True

    @property
    def generation(self) -> int:
        """Number of the committed state that searches see."""
        with self.snapshot() as snapshot:
            return snapshot.generation

    def __len__(self) -> int:
        with self.snapshot() as snapshot:
            return snapshot.state.documents

    def __contains__(self, id: object) -> bool:
        with self.snapshot() as snapshot:
            return isinstance(id, str) and id in snapshot.find([id])

    def document(self, id: str) -> Document:
        """The document of that id, or `DocumentNotFoundError`."""
        with self.snapshot() as snapshot:
            found = snapshot.find([id])
            if id not in found:
                raise DocumentNotFoundError(f"no document has the id {id!r}")
            return snapshot.documents([found[id]])[0]

    def search(
        self,
        query: str | None = None,
        *,
        vector: SparseVectors | None = None,
        fingerprint: str | None = None,
        k: int = 10,
        explain: bool = False,
    ) -> SearchResponse:
        """The k best documents for a query, exactly.

        Parameters
        ----------
        query : str
            A text.
        vector : SparseVectors of one row
            Instead of a text, an encoded query: term counts where the index weights queries by idf, else weights.
        fingerprint : str
            With `vector`: of the encoder that made it.
        k : int >= 1
        explain : bool
            Say what each term contributed to each hit.

        Raises
        ------
        InvalidQueryError
            Neither or both of text and vector, an empty text, k < 1. Unknown words are no error: they find nothing.
        EncoderMismatchError
            The vector comes from another encoder than the index's.
        CorruptionError
            A file is damaged; nothing is answered from it.
        """
        started = time.perf_counter()
        k = check_k(k)
        if (query is None) == (vector is None):
            raise InvalidQueryError("a search takes either a query text or a query vector")
        if vector is None:
            assert query is not None
            row = query_vectors(self.encoder, [check_query(query)])
        else:
            row = self._checked_vector(vector, fingerprint)
        with self.snapshot() as snapshot:
            return search_snapshot(snapshot, self.encoder, self.query_idf, query, row, k, explain, started)

    def _checked_vector(self, vector: SparseVectors, fingerprint: str | None) -> SparseVectors:
        if fingerprint != self.encoder.fingerprint:
            whose = "names no encoder" if fingerprint is None else f"comes from the encoder {fingerprint[:12]}"
            raise EncoderMismatchError(
                f"the query vector {whose}, the index was built with {self.encoder.fingerprint[:12]}",
                remedy="encode the query with the index's encoder and pass that encoder's fingerprint",
            )
        if len(vector) != 1:
            raise InvalidQueryError(f"a query vector has one row, not {len(vector)}")
        if vector.dim > self.encoder.dim:
            raise InvalidQueryError(f"the query vector has {vector.dim} dimensions, the index {self.encoder.dim}")
        return vector

    def search_batch(self, queries: Sequence[str], *, k: int = 10, threads: int = 1) -> list[list[tuple[str, float]]]:
        """Ids and scores of the k best documents for each query, best first; no document is fetched.

        The result does not depend on `threads`.
        """
        k = check_k(k)
        vectors = query_vectors(self.encoder, [check_query(query) for query in queries])
        with self.snapshot() as snapshot:

            def one(number: int) -> list[tuple[str, float]]:
                query = weigh(self.encoder, vectors[number], self.query_idf, snapshot)
                top = snapshot.search(query.terms, query.integers, k)
                scores = top.scores * (query.scale * snapshot.unit)
                return list(zip(snapshot.ids(top.ordinals.tolist()), scores.tolist(), strict=True))

            if threads <= 1:
                return [one(number) for number in range(len(queries))]
            with ThreadPoolExecutor(threads) as pool:
                return list(pool.map(one, range(len(queries))))

    def encode_query(self, query: str) -> tuple[QueryTerm, ...]:
        """The terms that a query is searched with, heaviest first."""
        row = query_vectors(self.encoder, [check_query(query)])
        with self.snapshot() as snapshot:
            return query_terms(self.encoder, weigh(self.encoder, row, self.query_idf, snapshot))

    # -- for evaluation ---------------------------------------------------------------------------------------------

    def vectors(self) -> Iterator[tuple[list[str], SparseVectors]]:
        """Ids and indexed weights, before their quantisation, of all live documents in batches."""
        with self.snapshot() as snapshot:
            for ordinals, encoded in snapshot.vectors(self.encoder.dim):
                weights = self.encoder.impacts(encoded, snapshot.state.average_length)
                yield snapshot.ids(ordinals.tolist()), weights

    def query_weights(self, queries: Sequence[str]) -> SparseVectors:
        """One row a query: its weights before their quantisation."""
        rows = query_vectors(self.encoder, [check_query(query) for query in queries])
        with self.snapshot() as snapshot:
            weighted = [float_weights(self.encoder, row, self.query_idf, snapshot) for row in rows]
        indptr = np.cumsum([0] + [len(terms) for terms, _ in weighted]).astype(np.int64)
        terms = np.concatenate([np.zeros(0, np.uint32), *(terms for terms, _ in weighted)])
        weights = np.concatenate([np.zeros(0, np.float32), *(weights for _, weights in weighted)])
        return SparseVectors(indptr, terms, weights, self.encoder.dim)

    def info(self) -> IndexInfo:
        """Sizes, settings and segments of the generation that this index sees."""
        with self.snapshot() as snapshot:
            return describe(self.path, snapshot, self.encoder, self.query_idf)


class _Held:
    """A snapshot that is closed when its last holder lets go; the index itself is the first holder."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._holders = 1
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self.snapshot.close()
