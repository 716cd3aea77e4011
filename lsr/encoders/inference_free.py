"""Queries without a model: the unique tokens of a text, each weighted by a table or by 1.

Knows tokens and a table. Loads neither onnxruntime nor torch: this is the whole path of a query of `splade-tiny-doc`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate

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
        if self._repeats:
            return self._made([Counter(self._kept(text)) for text in texts])
        return self._made([dict.fromkeys(self._kept(text), 1.0) for text in texts])

    def encode(self, texts: Sequence[str]) -> SparseVectors:
        """The same tokens with the weights of the table."""
        if self.idf is None:
            return self.counts(texts)
        weights = self._weights
        if self._repeats:
            counts = [Counter(self._kept(text)) for text in texts]
            return self._made([{term: n * weights[term] for term, n in row.items() if weights[term]} for row in counts])
        return self._made(
            [{term: weights[term] for term in set(self._kept(text)) if weights[term] > 0} for text in texts]
        )

    def _kept(self, text: str) -> list[int]:
        ids = self._tokenizer.ids(self._prompt + text)
        return ids if self._excluded.isdisjoint(ids) else [term for term in ids if term not in self._excluded]

    @cached_property
    def _weights(self) -> list[float]:
        """The table for look-ups of a few: an array's elements cost more to take one by one."""
        return [] if self.idf is None else self.idf.tolist()

    def _made(self, rows: Sequence[Mapping[int, float]]) -> SparseVectors:
        """Rows of positive weights; sorted here, so nothing is left to check."""
        ordered = [sorted(row.items()) for row in rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        indptr[1:] = list(accumulate(map(len, ordered)))
        terms = np.array([term for row in ordered for term, _ in row], np.uint32)
        weights = np.array([weight for row in ordered for _, weight in row], np.float32)
        return SparseVectors.unchecked(indptr, terms, weights, self._dim)
