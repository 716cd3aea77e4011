"""`Columns`: rows of column numbers to rows of terms. For the formats whose files hold no words.

Columns are terms themselves; or, where the file has a sidecar of words, terms of the vocabulary's words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import LsrError, MalformedDocumentError, SourceError
from lsr.interchange.format import Batch, ReadTask
from lsr.interchange.rows import assemble
from lsr.interchange.sidecars import RowIds
from lsr.interchange.vocabulary import resolve
from lsr.vectors import MAX_DIM


class Columns:
    """Makes the batches of a file, with ids; also the `Origin` of the rows.

    Parameters
    ----------
    task : ReadTask
    width : int or None
        How many columns the file says that it has.
    """

    def __init__(self, task: ReadTask, width: int | None) -> None:
        self._name = task.name
        self._ids = RowIds(task.ids, task.name)
        self._row = 0
        self._numbers = np.zeros(0, np.int64)
        self._table: NDArray[np.int64] | None = None
        self._dim = width if width is not None else MAX_DIM
        if task.terms is None:
            return
        if task.columns is not None:
            if width is not None and width > len(task.columns):
                raise SourceError(f"{task.name} has {width} columns, there are {len(task.columns)} words for them")
            self._table = resolve(task.terms, task.columns, add=task.unknown == "add")
            missing = np.flatnonzero(self._table < 0)
            if task.unknown == "stop" and len(missing):
                raise SourceError(
                    f"{task.name}: the word {task.columns[missing[0]]!r} is not in the vocabulary",
                    remedy="give the vocabulary of these vectors, or unknown='skip' to leave such words out",
                )
        elif width is not None and width > len(task.terms):
            raise SourceError(f"{task.name} has {width} columns, the vocabulary has {len(task.terms)} words")
        self._dim = len(task.terms)

    def batch(self, indptr: NDArray[np.int64], columns: NDArray[Any], weights: NDArray[Any]) -> Batch:
        """The next rows; columns are integers of any value, they are checked here."""
        ids = self._ids.next(len(indptr) - 1)
        self._numbers = columns
        if len(columns):
            limit = self._dim if self._table is None else len(self._table)
            outside = (columns < 0) | (columns >= limit)
            if outside.any():
                place = int(np.argmax(outside))
                row = int(np.searchsorted(indptr, place, side="right")) - 1
                raise self.error(row, f"column {columns[place]} is outside 0..{limit - 1}")
        terms = columns.astype(np.int64)
        if self._table is not None:
            terms = self._table[terms]
        vectors = assemble(indptr, terms, weights, self._dim, self)
        self._row += len(ids)
        return ids, vectors

    def finish(self) -> None:
        """After the last row: `SourceError` where ids are left over."""
        self._ids.finish()

    def error(self, row: int, reason: str) -> LsrError:
        """The error for a row of the batch."""
        return MalformedDocumentError(self._name, None, f"row {self._row + row}: {reason}")

    def term(self, place: int) -> str:
        """How the file calls a term."""
        return f"column {self._numbers[place]}"
