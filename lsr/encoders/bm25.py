"""BM25 as a sparse encoder: a document is its word counts, a query is its words.

Knows the analyzer and the formula of the document's side. Does not know document frequencies nor average lengths: those
belong to a collection, so the index gives them (`impacts`) or weights the query by them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder, Span, TermDictionary
from lsr.errors import InvalidSettingError
from lsr.text import get_analyzer
from lsr.vectors import MAX_DIM, SparseVectors


class BM25Encoder(Encoder):
    """Words of an analyzer, counted.

    A document's score is Σ over the query's words of count in the query × idf × tf / (tf + k1·(1 − b + b·len/average)):
    the form of Lucene ≥ 8, without the constant factor k1 + 1 (Robertson and Zaragoza, *The Probabilistic Relevance
    Framework*, 2009, with idf = ln(1 + (N − df + ½)/(df + ½))).

    Parameters
    ----------
    terms : TermDictionary
        The collection's vocabulary. Encoding documents adds to it, encoding queries does not.
    k1 : float >= 0
        How slowly repetitions of a word saturate; 0 counts a word once.
    b : float in [0, 1]
        How much longer documents are marked down.
    analyzer : str
        Name of an analyzer of `lsr.text`.

    Raises
    ------
    InvalidSettingError
        Where a setting is outside its legal values.
    """

    name = "bm25"
    max_length = None
    lexical_queries = True
    needs_terms = True
    length_normalised = True

    def __init__(self, terms: TermDictionary, *, k1: float = 0.9, b: float = 0.4, analyzer: str = "english") -> None:
        self.k1 = _number("k1", k1)
        self.b = _number("b", b)
        if not 0 <= self.k1 < math.inf:
            raise InvalidSettingError(f"bm25: k1 is {k1}, it must be 0 or more and finite")
        if not 0 <= self.b <= 1:
            raise InvalidSettingError(f"bm25: b is {b}, it must be within 0 and 1")
        self.analyzer = get_analyzer(analyzer)
        self.terms = terms

    @property
    def fingerprint(self) -> str:
        """Of the analyzer (with its version), k1 and b. Not of the vocabulary, which only ever grows."""
        identity = {"encoder": self.name, **self.settings, "analyzer_version": self.analyzer.version}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def dim(self) -> int:
        """2³², the most that term ids allow, so that vectors of a younger and an older vocabulary can be joined."""
        return MAX_DIM

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return {"k1": self.k1, "b": self.b, "analyzer": self.analyzer.name}

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        """How often each word stands in each text; new words enter the vocabulary in order of appearance."""
        rows = [self.analyzer.words(text) for text in texts]
        words = list(dict.fromkeys(chain.from_iterable(rows)))
        return _count(rows, dict(zip(words, self.terms.intern(words), strict=True)))

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        """As `query_counts`: BM25 has no idf table of its own."""
        return self.query_counts(texts)

    def query_counts(self, texts: Sequence[str]) -> SparseVectors:
        """How often each known word stands in each query; unknown words count for nothing."""
        rows = [self.analyzer.words(text) for text in texts]
        words = list(dict.fromkeys(chain.from_iterable(rows)))
        found = zip(words, self.terms.lookup(words), strict=True)
        known = {word: number for word, number in found if number is not None}
        return _count([[word for word in row if word in known] for row in rows], known)

    @property
    def default_query_idf(self) -> str:
        return "collection"

    def words(self, terms: Sequence[int]) -> list[str]:
        """The indexed words, that is stems."""
        return self.terms.words(terms)

    def spans(self, text: str) -> list[Span]:
        """Where words of the vocabulary stand in a text, in order."""
        tokens = self.analyzer.tokens(text)
        numbers = self.terms.lookup([token.word for token in tokens])
        return [
            Span(number, token.start, token.end)
            for token, number in zip(tokens, numbers, strict=True)
            if number is not None
        ]

    def impacts(self, vectors: SparseVectors, average_length: float) -> SparseVectors:
        """Counts to tf / (tf + k1·(1 − b + b·len/average_length)), between 0 and 1.

        Parameters
        ----------
        vectors : SparseVectors
            Word counts from `encode_documents`; a row's sum is its length.
        average_length : float > 0
            Mean length of the collection's documents, in words. With no word at all in the collection, 0 is legal too.
        """
        if vectors.nnz == 0:
            return vectors
        if not 0 < average_length < math.inf:
            raise InvalidSettingError(f"bm25: the average length is {average_length}, it must be above 0 and finite")
        frequency = vectors.weights.astype(np.float64)
        lengths = np.bincount(vectors.row_numbers, frequency, minlength=len(vectors))
        norm = self.k1 * (1 - self.b + self.b * lengths / average_length)
        weights = frequency / (frequency + np.repeat(norm, vectors.lengths))
        # An absurd k1 must not make a weight 0, which would not be a vector any more.
        weights = np.maximum(weights, np.finfo(np.float32).tiny)
        return SparseVectors(vectors.indptr, vectors.terms, weights.astype(np.float32), vectors.dim)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidSettingError(f"bm25: {name} is {value!r}, it must be a number")
    return float(value)


def _count(rows: Sequence[Sequence[str]], ids: Mapping[str, int]) -> SparseVectors:
    """How often each word stands in each row; `ids` has all of them."""
    lengths = np.array([len(row) for row in rows], np.int64)
    numbers = np.fromiter(map(ids.__getitem__, chain.from_iterable(rows)), np.uint64, lengths.sum())
    # Row and term in one integer: sorted, they are the entries of the batch, row by row and ascending in each.
    entries = np.repeat(np.arange(len(rows), dtype=np.uint64) << np.uint64(32), lengths) | numbers
    entries, counts = np.unique(entries, return_counts=True)
    filled = np.bincount((entries >> np.uint64(32)).astype(np.int64), minlength=len(rows))
    indptr: NDArray[np.int64] = np.concatenate([np.zeros(1, np.int64), np.cumsum(filled, dtype=np.int64)])
    return SparseVectors(indptr, entries.astype(np.uint32), counts.astype(np.float32), MAX_DIM)
