"""`TokenBatch`: documents of words and weights, line by line, into batches. For the formats of lines.

Knows nothing of how a line is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lsr.errors import InvalidSettingError, LsrError, MalformedDocumentError
from lsr.interchange.format import Batch, ReadTask
from lsr.interchange.ids import UniqueIds, flaw_of_id
from lsr.interchange.rows import assemble
from lsr.interchange.vocabulary import flaw_of_word, resolve
from lsr.vectors import MAX_DIM


class TokenBatch:
    """Collects documents until there are enough for a batch; also the `Origin` of the batch's rows."""

    def __init__(self, task: ReadTask) -> None:
        if task.terms is None:
            raise InvalidSettingError("words need a vocabulary")
        self._terms = task.terms
        self._unknown = task.unknown
        self._size = task.batch
        self._unique = UniqueIds()
        self._clear()

    def _clear(self) -> None:
        self._ids: list[str] = []
        self._lines: list[tuple[str, int]] = []
        self._tokens: list[str] = []
        self._weights: list[float] = []
        self._indptr = [0]

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def full(self) -> bool:
        """True where it is time for `take`."""
        return len(self._ids) >= self._size

    def add(self, file: str, line: int, identity: object, tokens: Sequence[str], weights: Sequence[float]) -> None:
        """One document; weights are numbers of any size and sign, `take` checks them."""
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        if not isinstance(identity, str):
            raise MalformedDocumentError(file, line, f"the id is {identity!r}, it must be a string or an integer")
        if flaw := flaw_of_id(identity):
            raise MalformedDocumentError(file, line, f"the id {flaw}")
        self._ids.append(identity)
        self._lines.append((file, line))
        self._tokens.extend(tokens)
        self._weights.extend(weights)
        self._indptr.append(len(self._tokens))

    def take(self) -> Batch:
        """The batch; the next document begins another."""
        if (again := self._unique.add(self._ids)) is not None:
            raise self.error(again, f"the id {self._ids[again]!r} was given to an earlier document")
        indptr = np.array(self._indptr, np.int64)
        ids = resolve(self._terms, self._tokens, add=self._unknown == "add")
        missing = np.flatnonzero(ids < 0)
        if self._unknown != "skip" and len(missing):
            place = int(missing[0])
            row = int(np.searchsorted(indptr, place, side="right")) - 1
            if flaw := flaw_of_word(self._tokens[place]):
                raise self.error(row, f"a word of the vector {flaw}")
            raise self.error(
                row,
                f"the word {self._tokens[place]!r} is not in the vocabulary of {len(self._terms)} words",
                remedy="give the vocabulary of these vectors, or unknown='skip' to leave such words out",
            )
        try:
            weights = np.array(self._weights, np.float64)
        except OverflowError:  # an integer beyond all floats
            weights = np.array([max(min(weight, 10**300), -(10**300)) for weight in self._weights], np.float64)
        dim = MAX_DIM if self._unknown == "add" else len(self._terms)
        batch = self._ids, assemble(indptr, ids, weights, dim, self)
        self._clear()
        return batch

    def error(self, row: int, reason: str, *, remedy: str = "") -> LsrError:
        """The error for a document of the batch."""
        file, line = self._lines[row]
        return MalformedDocumentError(file, line, reason, remedy=remedy)

    def term(self, place: int) -> str:
        """How the file calls a term."""
        return f"the word {self._tokens[place]!r}"
