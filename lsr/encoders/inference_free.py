"""Queries without a model: the unique tokens of a text, each weighted by a table or by 1.

Knows tokens and a table. Loads neither onnxruntime nor torch: this is the whole path of a query of `splade-tiny-doc`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors


class InferenceFreeQueries:
    """Text to query vectors by look-up, as the inference-free models of OpenSearch do (Geng et al. 2024, eq. 5).

    Parameters
    ----------
    tokenizer : WordPieceTokenizer
        The document encoder's own.
    dim : int
        Size of the model's vocabulary.
    idf : float32 ndarray of shape (dim,), optional
        Weight of each token; tokens of weight 0 are left out. Without it every token weighs 1.
    """

    def __init__(self, tokenizer: WordPieceTokenizer, dim: int, idf: NDArray[np.float32] | None = None) -> None:
        self._tokenizer = tokenizer
        self._dim = dim
        self._excluded = frozenset(tokenizer.special_ids)
        self.idf = idf

    def counts(self, texts: Sequence[str]) -> SparseVectors:
        """Weight 1 for each token that a text holds, however often; special and unknown tokens are left out."""
        rows = [sorted(set(self._tokenizer.ids(text)) - self._excluded) for text in texts]
        indptr = np.zeros(len(rows) + 1, np.int64)
        for number, row in enumerate(rows):
            indptr[number + 1] = indptr[number] + len(row)
        terms = np.array([term for row in rows for term in row], np.uint32)
        return SparseVectors(indptr, terms, np.ones(len(terms), np.float32), self._dim)

    def encode(self, texts: Sequence[str]) -> SparseVectors:
        """The same tokens with the weights of the table."""
        presence = self.counts(texts)
        if self.idf is None:
            return presence
        weights = self.idf[presence.terms]
        weighted = weights > 0
        kept = presence.filter(weighted)
        return SparseVectors(kept.indptr, kept.terms, weights[weighted], self._dim)
