"""What an encoder is: text in, `SparseVectors` out, and a name and a fingerprint by which an index knows it again.

Knows nothing of indexes, storage or fusion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lsr.vectors import SparseVectors


@dataclass(frozen=True, slots=True)
class Span:
    """Where a term stands in a text: characters `start` (inclusive) to `end` (exclusive)."""

    term: int
    start: int
    end: int


class TermDictionary(Protocol):
    """A vocabulary that grows with a collection, words to ids and back. An index keeps one; tests, one in memory."""

    def intern(self, words: Sequence[str]) -> list[int]:
        """The id of each word; unknown words get the next free ids."""
        ...

    def lookup(self, words: Sequence[str]) -> list[int | None]:
        """The id of each word, None where it is unknown."""
        ...

    def words(self, ids: Sequence[int]) -> list[str]:
        """The word of each id."""
        ...

    def __len__(self) -> int: ...


class Encoder(ABC):
    """Text to sparse vectors.

    Attributes
    ----------
    name : str
        How the encoder is asked for again (`load_encoder(name, **settings)`).
    max_length : int or None
        Tokens of a text that are read; None for all.
    """

    name: str
    max_length: int | None

    #: True where a query is only its words (counts), to be weighted by an idf table that the index chooses;
    #: False where the encoder itself gives the query's weights.
    lexical_queries: bool = False

    #: True where the encoder works on a `TermDictionary` that the index keeps, not on a vocabulary of its own.
    needs_terms: bool = False

    #: True where `impacts` depends on the collection's average length; the weights that it gives are then at most 1.
    length_normalised: bool = False

    @property
    def expands(self) -> bool:
        """True where a document is indexed with terms that its text does not hold, while queries are their own words:
        the idf of a query's words is then counted over the texts (by `query_counts`), not over what is indexed.
        """
        return self.lexical_queries and not self.needs_terms

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hexadecimal digest of weights, tokenizer and settings: equal fingerprints give equal vectors."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of terms. It grows where the encoder works on a collection's own vocabulary."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        """The keyword arguments that, with `name`, give this encoder again."""

    @abstractmethod
    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        """One row a text, in order; an empty text gives an empty row."""

    @abstractmethod
    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        """One row a text, weighted by the encoder's own means (its idf table, or 1 where it has none)."""

    def query_counts(self, texts: Sequence[str]) -> SparseVectors:
        """Only where `lexical_queries`: one row a text, the query's terms and how much each counts before any idf."""
        raise TypeError(f"{self.name} weights its queries itself")

    @property
    def idf(self) -> NDArray[np.float32] | None:
        """float32 ndarray of shape (dim,): the encoder's own query weights, None where it has no table."""
        return None

    @property
    def default_query_idf(self) -> str:
        """Which idf table a new index uses unless it is told: `collection` where an inference-free encoder has no table
        of its own, else `min`, the best of the four on judged collections (eval/results/query-idf.md); `model` where
        the encoder itself weights queries.
        """
        return "model"

    @abstractmethod
    def words(self, terms: Sequence[int]) -> list[str]:
        """How each term is written for a person."""

    @abstractmethod
    def spans(self, text: str) -> list[Span]:
        """Where the terms of a text stand in it, in order; for highlighting."""

    def impacts(self, vectors: SparseVectors, average_length: float) -> SparseVectors:
        """Encoded documents to the weights that are indexed. Only BM25 does anything here: its weights depend on the
        collection's average length (sum of the encoded weights of a document), which the index knows.
        """
        return vectors
