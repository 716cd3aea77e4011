"""What a search takes and gives: many queries in one value, the best documents of each, counted work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Numbers in a `Work`.
WORK = 7


class Work(NamedTuple):
    """Counted work of one query: what grows with the collection, on any machine."""

    postings_scored: int = 0
    superblocks_scanned: int = 0
    superblocks_pruned: int = 0
    superblocks_skipped: int = 0
    blocks_bounded: int = 0
    blocks_scored: int = 0
    superblocks_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Queries:
    """Many queries: that of number q has the terms, ascending, and weights from `indptr[q]` to `indptr[q + 1]`.

    indptr : int64 ndarray of shape (queries + 1,)
    terms, weights : uint32 ndarrays
    """

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint32]
    weights: NDArray[np.uint32]

    @classmethod
    def of(cls, rows: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> Queries:
        """Queries of (terms, weights) each."""
        nothing = np.zeros(0, np.uint32)
        indptr = np.cumsum([0, *(len(terms) for terms, _ in rows)], dtype=np.int64)
        terms = np.concatenate([nothing, *(terms for terms, _ in rows)])
        return cls(indptr, terms, np.concatenate([nothing, *(weights for _, weights in rows)]))

    def rows(self) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint32]]]:
        """Terms and weights of each query."""
        return (self[number] for number in range(len(self)))

    def part(self, begin: int, end: int) -> Queries:
        """The queries from `begin` to `end`."""
        return Queries(self.indptr[begin : end + 1], self.terms, self.weights)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, number: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        own = slice(int(self.indptr[number]), int(self.indptr[number + 1]))
        return self.terms[own], self.weights[own]


@dataclass(frozen=True, slots=True)
class Top:
    """The best documents, score falling, of equal scores the lower ordinal first.

    scores : int64 ndarray of shape (hits,), all above 0
    ordinals : int64 ndarray of shape (hits,)
    exact : bool
        False where an approximate mode may have missed a better document.
    """

    scores: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    work: Work
    exact: bool = True
