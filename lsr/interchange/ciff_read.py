"""A CIFF file to batches of vectors: columns to rows. What the file looks like, and how, is said in ciff.py."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, LsrError, SourceError
from lsr.interchange.format import Batch, ReadTask
from lsr.interchange.ids import UniqueIds, flaw_of_id
from lsr.interchange.postings import POSTING, absolute, decode_posting, decode_run
from lsr.interchange.rows import assemble
from lsr.interchange.spool import Spool
from lsr.interchange.streams import open_stream
from lsr.interchange.vocabulary import flaw_of_word, resolve
from lsr.interchange.weights import is_scale
from lsr.interchange.wire import MAX_INT32, PIECE, Delimited, WireError, as_count, as_text, decode_field, fields
from lsr.vectors import SparseVectors

VERSION = 1
#: Longest field of a postings list (a word, a posting) and longest header or document record, in bytes.
_MAX_FIELD = 1 << 16
_MAX_MESSAGE = 1 << 20
#: What lsr itself writes into the description.
_SCALE = re.compile(r"\blsr\b.*weight = tf \* ([0-9][0-9.e+-]*)$")


@dataclass(frozen=True, slots=True)
class _Header:
    lists: int
    documents: int
    scale: float


def read_ciff(task: ReadTask) -> Iterator[Batch]:
    """Batches, documents by number. The whole file is read before the first."""
    if task.terms is None:
        raise InvalidSettingError("CIFF needs a vocabulary")
    with Spool(np.uint32, task.scratch, task.memory) as spool:
        with open_stream(task.path, task.name) as stream:
            messages = Delimited(stream)
            with _located(task.name, messages):
                header = _read_header(messages.message(_MAX_MESSAGE))
                words: dict[str, int] = {}
                for number in range(header.lists):
                    word = _read_list(messages, number, spool)
                    if word in words:
                        raise WireError(f"the word {word!r} has two postings lists, number {words[word]} and {number}")
                    words[word] = number
                records = _Records()
                for _ in range(header.documents):
                    records.read(messages.message(_MAX_MESSAGE))
                if messages.length() is not None:
                    raise WireError("bytes follow after the last document record")
        terms = resolve(task.terms, list(words), add=task.unknown == "add")
        if task.unknown == "stop" and (terms < 0).any():
            raise SourceError(
                f"{task.name}: the word {list(words)[int(np.argmin(terms))]!r} is not in the vocabulary",
                remedy="give the vocabulary of this index, or unknown='skip' to leave such words out",
            )
        spool.finish()
        rows = _Rows(task, list(words), terms, header.scale if task.scale is None else task.scale)
        yield from rows.batches(spool, records)


@contextmanager
def _located(name: str, messages: Delimited) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise SourceError(
            f"{name} is no sound CIFF: before byte {messages.offset}: {error}", remedy="export or fetch it again"
        ) from None


def _read_header(data: bytes) -> _Header:
    version = lists = documents = 0
    description = ""
    for number, _, value in fields(data):
        if number == 1:
            version = as_count(value, "the version")
        elif number == 2:
            lists = as_count(value, "the number of postings lists")
        elif number == 3:
            documents = as_count(value, "the number of document records")
        elif number == 8:
            description = as_text(value, "the description")
    if version != VERSION:
        raise WireError(f"its header says version {version}, known is {VERSION}")
    found = _SCALE.search(description)
    try:
        scale = float(found[1]) if found else 1.0
    except ValueError:
        scale = 1.0
    return _Header(lists, documents, scale if is_scale(scale) else 1.0)


def _read_list(messages: Delimited, number: int, spool: Spool) -> str:
    """Spool the postings of the next list; returns its word. The list is read in pieces."""
    missing = messages.length()
    if missing is None:
        raise WireError(f"the file ends where postings list {number} must be")
    postings = _Postings(number, spool)
    word = ""
    frequency: int | None = None
    data = b""
    while missing:
        piece = messages.exactly(min(missing, PIECE))
        missing -= len(piece)
        data += piece
        # A field that begins before the limit is complete, or longer than any may be.
        limit = len(data) if not missing else len(data) - _MAX_FIELD
        place = 0
        runs_left = True
        while place < limit:
            field, _, value, place = decode_field(data, place)
            if field == 1:
                word = as_text(value, f"the word of postings list {number}")
            elif field == 2:
                frequency = as_count(value, f"the document frequency of {word!r}")
            elif field == POSTING:
                if not isinstance(value, bytes):
                    raise WireError(f"a posting of {word!r} is no message")
                postings.one(*decode_posting(value))
                if runs_left:  # once a piece: decoding it again after each irregular posting would be quadratic
                    gaps, weights, place = decode_run(data, place)
                    postings.many(gaps, weights)
                    runs_left = False
        data = data[place:]
    if flaw := flaw_of_word(word):
        raise WireError(f"the word of postings list {number} {flaw}")
    if (frequency or 0) != postings.count:
        raise WireError(f"the list of {word!r} says that it has {frequency or 0} postings, it has {postings.count}")
    postings.flush()
    return word


class _Postings:
    """The postings of one list on their way to the spool."""

    def __init__(self, number: int, spool: Spool) -> None:
        self._number = number
        self._spool = spool
        self._last = -1
        self._docs: list[int] = []
        self._weights: list[int] = []
        self.count = 0

    def one(self, gap: int, weight: int) -> None:
        """One posting."""
        if self._last < 0:
            doc = gap
        elif gap == 0:
            raise WireError(f"document {self._last} comes twice in a postings list")
        else:
            doc = self._last + gap
        if doc > MAX_INT32:
            raise WireError(f"a posting's document is {doc}, more than {MAX_INT32}")
        self._last = doc
        self._docs.append(doc)
        self._weights.append(weight)
        self.count += 1
        if len(self._docs) >= PIECE:
            self.flush()

    def many(self, gaps: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        """Postings after the first."""
        if len(gaps):
            self.flush()
            docs = absolute(self._last, gaps)
            self._last = int(docs[-1])
            self.count += len(docs)
            self._add(docs, weights)

    def flush(self) -> None:
        """Hand on what came one by one."""
        if self._docs:
            self._add(np.array(self._docs, np.int64), np.array(self._weights, np.int64))
            self._docs, self._weights = [], []

    def _add(self, docs: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        lists = np.full(len(docs), self._number, np.uint32)
        self._spool.add(docs.astype(np.uint32), lists, weights.astype(np.uint32))


class _Records:
    """Document records: numbers and ids, in the order of the file."""

    def __init__(self) -> None:
        self._docs = array("I")
        self._stops = array("Q", [0])
        self._text = bytearray()

    def read(self, data: bytes) -> None:
        """Take one message in."""
        doc = 0
        identity = ""
        for number, _, value in fields(data):
            if number == 1:
                doc = as_count(value, "the number of a document")
            elif number == 2:
                identity = as_text(value, f"the id of document {doc}")
        if flaw := flaw_of_id(identity):
            raise WireError(f"the id of document {doc} {flaw}")
        self._docs.append(doc)
        self._text += identity.encode()
        self._stops.append(len(self._text))

    def sorted(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Document numbers, ascending, and the place of each one's record; `WireError` where one comes twice."""
        docs = np.array(self._docs, np.uint32)
        order = np.argsort(docs, kind="stable")
        docs = docs[order]
        if len(docs) and (docs[1:] == docs[:-1]).any():
            raise WireError(f"document {docs[int(np.argmax(docs[1:] == docs[:-1]))]} has two records")
        return docs, order

    def ids(self, places: NDArray[np.int64]) -> list[str]:
        """The ids of records."""
        return [self._text[self._stops[place] : self._stops[place + 1]].decode() for place in places.tolist()]


class _Rows:
    """Makes batches from spooled postings; also the `Origin` of the rows."""

    def __init__(self, task: ReadTask, words: list[str], terms: NDArray[np.int64], scale: float) -> None:
        self._task = task
        self._words = words
        self._terms = terms
        self._scale = scale
        self._dim = 0 if task.terms is None else len(task.terms)
        self._docs = np.zeros(0, np.uint32)
        self._lists = np.zeros(0, np.uint32)

    def batches(self, spool: Spool, records: _Records) -> Iterator[Batch]:
        try:
            docs, places = records.sorted()
        except WireError as error:
            raise SourceError(f"{self._task.name} is no sound CIFF: {error}") from None
        unique = UniqueIds()
        low = 0
        for start in range(0, len(docs), self._task.batch):
            self._docs = docs[start : start + self._task.batch]
            ids = records.ids(places[start : start + self._task.batch])
            if (again := unique.add(ids)) is not None:
                raise self.error(again, f"its id {ids[again]!r} was given to an earlier document")
            high = int(self._docs[-1])
            yield ids, self._batch(*spool.between(low, high))
            low = high + 1
        keys, _, _ = spool.between(low, 2**32 - 1)
        if len(keys):
            raise self._stray(int(keys[0]))

    def _batch(self, keys: NDArray[np.uint32], lists: NDArray[np.uint32], weights: NDArray[np.uint32]) -> SparseVectors:
        rows = np.searchsorted(self._docs, keys)
        if len(keys) and (stray := self._docs[rows] != keys).any():
            raise self._stray(int(keys[int(np.argmax(stray))]))
        indptr = np.zeros(len(self._docs) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(self._docs)), out=indptr[1:])
        self._lists = lists
        return assemble(indptr, self._terms[lists], weights * self._scale, self._dim, self)

    def _stray(self, doc: int) -> LsrError:
        return SourceError(f"{self._task.name} is no sound CIFF: document {doc} has postings, but no record")

    def error(self, row: int, reason: str) -> LsrError:
        """The error for a document of the batch."""
        return SourceError(f"{self._task.name}: document {self._docs[row]}: {reason}")

    def term(self, place: int) -> str:
        """How the file calls a term."""
        return f"the word {self._words[self._lists[place]]!r}"
