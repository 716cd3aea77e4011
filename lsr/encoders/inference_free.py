"""Queries without a model: the unique tokens of a text, each weighted by a table or by 1.

Knows tokens and a table. Loads neither onnxruntime nor torch: this is the whole path of a query of `splade-tiny-doc`.
"""

from __future__ import annotations

from collections import Counter
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
    scale : float
        What all weights are multiplied with.
    repeats : bool
        Count a token each time that the text holds it.
    prompt : str
        What is put before each text.
    """

    def __init__(
        self,
        tokenizer: WordPieceTokenizer,
        dim: int,
        idf: NDArray[np.float32] | None = None,
        *,
        scale: float = 1.0,
        repeats: bool = False,
        prompt: str = "",
    ) -> None:
        self._tokenizer = tokenizer
        self._dim = dim
        self._excluded = frozenset(tokenizer.special_ids)
        self._repeats = repeats
        self._prompt = prompt
        self.idf = idf
        if scale != 1.0:
            self.idf = np.full(dim, scale, np.float32) if idf is None else idf * np.float32(scale)

    def counts(self, texts: Sequence[str]) -> SparseVectors:
        """Weight 1 for each token that a text holds, however often (`repeats`: how often); special and unknown tokens
        are left out.
        """
        read = [self._tokenizer.ids(self._prompt + text) for text in texts]
        rows = [sorted(set(ids) - self._excluded) for ids in read]
        indptr = np.zeros(len(rows) + 1, np.int64)
        for number, row in enumerate(rows):
            indptr[number + 1] = indptr[number] + len(row)
        terms = np.array([term for row in rows for term in row], np.uint32)
        weights = np.ones(len(terms), np.float32)
        if self._repeats:
            counts = [Counter(ids) for ids in read]
            weights = np.array([n[term] for n, row in zip(counts, rows, strict=True) for term in row], np.float32)
        return SparseVectors(indptr, terms, weights, self._dim)

    def encode(self, texts: Sequence[str]) -> SparseVectors:
        """The same tokens with the weights of the table."""
        presence = self.counts(texts)
        if self.idf is None:
            return presence
        weights = self.idf[presence.terms]
        if self._repeats:
            weights = weights * presence.weights
        weighted = weights > 0
        kept = presence.filter(weighted)
        return SparseVectors(kept.indptr, kept.terms, weights[weighted], self._dim)
