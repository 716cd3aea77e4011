"""`Index`: a directory that one searches. The whole of the engine behind one class.

Knows how encoder, store, segments and queries go together; each of them knows nothing of the others.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.encoders.registry import DEFAULT_ENCODER, load_encoder
from lsr.encoders.terms import InMemoryTerms
from lsr.engine.generations import Generations
from lsr.engine.info import describe
from lsr.engine.merger import Merger
from lsr.engine.query import check_k, check_query, check_query_idf, float_weights, query_vectors, weigh
from lsr.engine.results import IndexInfo, QueryTerm, SearchResponse
from lsr.engine.searching import query_terms, search_snapshot
from lsr.engine.segments import SegmentPool
from lsr.engine.snapshot import Snapshot
from lsr.engine.writer import Writer
from lsr.engine.writes import IndexWrites
from lsr.errors import (
    DocumentNotFoundError,
    EncoderMismatchError,
    InvalidQueryError,
    InvalidSettingError,
    ReadOnlyIndexError,
)
from lsr.index.options import EXACT, SearchOptions
from lsr.index.search import Queries
from lsr.store.creation import create_folder
from lsr.store.lock import WriterLock
from lsr.store.records import State
from lsr.store.schema import LOCK_NAME
from lsr.store.store import Store
from lsr.store.terms import StoredTerms
from lsr.vectors import SparseVectors

#: What a search does before its segments have been compared.
VERIFY = ("wait", "background")

#: A value of an encoder's setting.
Setting = str | int | float | bool | None


class Index(IndexWrites):
    """A directory of documents that can be searched.

    `Index.create` makes one, `Index.open` opens it; both are context managers. All methods may be called from any
    thread. Searching sees one committed generation, which only `refresh` (or a write of one's own) changes. One process
    writes at a time; what several of its threads write at the same time is committed together.

    Attributes
    ----------
    path : Path
        As it was given; `folder` is where that led when the index was opened (see `lsr.engine.aliases`).
    encoder : Encoder
    query_idf : str
        Which idf table weights lexical queries: `model`, `collection`, `min` or `smoothed`.
    """

    def __init__(self, path: Path, *, writable: bool, encoder: Encoder | None, verify: str = "wait") -> None:
        if verify not in VERIFY:
            raise InvalidSettingError(f"verify is {verify!r}", remedy=f"it is one of {', '.join(VERIFY)}")
        self.path = path
        self.folder = path.resolve()
        self._lock = WriterLock(self.folder / LOCK_NAME) if writable else None
        self._stores: list[Store] = []
        self._writer: Writer | None = None
        self._merger: Merger | None = None
        self._generations: Generations | None = None
        self._encoding = threading.Lock()
        try:
            reader, vocabulary = (self._connect(write=False) for _ in range(2))
            store = self._connect(write=True) if writable else None
            settings = reader.settings()
            self._terms = StoredTerms(vocabulary, store)
            self.encoder = self._load_encoder(settings, encoder)
            self.query_idf = settings["query_idf"]
            pool = SegmentPool(self.folder)
            mend = self._mend if writable else None
            self._generations = Generations(self.folder, reader, pool, wait=verify == "wait", mend=mend)
            self._generations.begin()
            if store is not None:
                self._writer = Writer(self.folder, store, self.encoder, self._terms, pool, self._committed)
                self._merger = Merger(self.folder, self._writer)
        except BaseException:
            self.close()
            raise

    def _connect(self, *, write: bool) -> Store:
        store = Store(self.folder, write=write)
        self._stores.append(store)
        return store

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
    def open(
        cls,
        path: str | PathLike[str],
        *,
        writable: bool = False,
        encoder: Encoder | None = None,
        verify: str = "wait",
    ) -> Index:
        """Open an index, in milliseconds whatever its size.

        Headers and structure are checked at once, and every row when it is read. The checksums of the segments, and
        the structure of the store, are compared at once where they are small, else in the background. Whoever opened
        for writing builds damaged segments, and those of an earlier format, anew from the store (see `mended`).

        Parameters
        ----------
        path : path-like
        writable : bool
            Take the writer's lock. Readers need none.
        encoder : Encoder, optional
            Use this one, which must have the index's fingerprint, instead of loading it by its name.
        verify : str
            `wait`: the first search waits until its segments are compared, so that nothing damaged is ever answered.
            `background`: it does not; searches fail from the moment on that damage is found.

        Raises
        ------
        NotAnIndexError, FormatVersionError, CorruptionError, AccessDeniedError, EncoderMismatchError, WriterLockedError
        """
        folder = Path(path)
        Store(folder, write=False).close()  # says what is wrong with the folder before a lock file is made in it
        return cls(folder, writable=writable, encoder=encoder, verify=verify)

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

    def close(self, *, finish_merging: bool = True) -> None:
        """Release files and lock. Searches under way end first, and so do merges that are due, unless told not to."""
        if self._merger is not None:
            self._merger.close(finish=finish_merging)
        if self._generations is not None:
            self._generations.close()
        if self._writer is not None:
            self._writer.checkpoint()
            self._writer = None
        for store in self._stores:
            store.close()
        self._stores.clear()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(finish_merging=kind is None)

    # -- reading ----------------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The generation that this index sees, held open for the block."""
        if self._generations is None:
            raise ReadOnlyIndexError(f"{self.path} is closed", remedy="open it again")
        with self._generations.hold() as snapshot:
            yield snapshot

    def refresh(self) -> bool:
        """See the newest generation; True where it is another than before.

        Searches go on meanwhile with what they have; where the newest generation is damaged (`CorruptionError`), they
        keep it.
        """
        if self._generations is None:
            raise ReadOnlyIndexError(f"{self.path} is closed", remedy="open it again")
        return self._generations.refresh()

    @property
    def moved(self) -> bool:
        """True where `path` is an alias that leads elsewhere by now: opening it again opens another index."""
        return self.path.resolve() != self.folder

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
        filter: Mapping[str, Any] | None = None,
        options: SearchOptions = EXACT,
    ) -> SearchResponse:
        """The k best documents for a query, exactly unless `options` say otherwise.

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
        filter : mapping, optional
            Find only documents that it matches, see `lsr.store.filters`. Scores are those of a search without it.
        options : SearchOptions
            Strategy, threads and approximate modes. The response's `exact` is false where a better document than the
            last hit may have been missed.

        Raises
        ------
        InvalidQueryError
            Neither or both of text and vector, an empty text, k < 1. Unknown words are no error: they find nothing.
        InvalidFilterError
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
            return search_snapshot(
                snapshot, self.encoder, self.query_idf, query, row, k, explain, started, filter, options
            )

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

    def search_batch(
        self, queries: Sequence[str], *, k: int = 10, threads: int = 1, options: SearchOptions = EXACT
    ) -> list[list[tuple[str, float]]]:
        """Ids and scores of the k best documents for each query, best first; no document is fetched.

        The queries are searched in one compiled call, which `threads` share; the result does not depend on these.
        """
        k = check_k(k)
        vectors = query_vectors(self.encoder, [check_query(query) for query in queries])
        with self.snapshot() as snapshot:
            weighed = [weigh(self.encoder, row, self.query_idf, snapshot) for row in vectors]
            asked = Queries.of([(query.terms, query.integers) for query in weighed])
            tops = snapshot.search_many(asked, k, options, threads)
            answers = []
            for query, top in zip(weighed, tops, strict=True):
                scores = top.scores * (query.scale * snapshot.unit)
                answers.append(list(zip(snapshot.ids(top.ordinals.tolist()), scores.tolist(), strict=True)))
        return answers

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
            return describe(self.folder, snapshot, self.encoder, self.query_idf)
