"""What all masked-LM encoders share, however the network is run: its tokens, and queries by network or by look-up.

Knows a tokenizer and a table. Knows nothing of onnxruntime, torch or files.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder, Span
from lsr.encoders.inference_free import InferenceFreeQueries
from lsr.errors import InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors


class MaskedLmEncoder(Encoder):
    """Terms are the tokens of a masked language model; with `lexical_queries`, a query is looked up, not encoded.

    Attributes
    ----------
    prune : float in [0, 1]
        A document keeps the terms that add at least this share of the greatest that one of its terms adds to a score:
        weight × the encoder's idf, or weight alone where it has none. 0 keeps all.
    """

    prune: float = 0.0

    @abstractmethod
    def _encoded(self, texts: Sequence[str]) -> SparseVectors:
        """One row a text by the network, all its terms."""

    @property
    @abstractmethod
    def _tokenizer(self) -> WordPieceTokenizer: ...

    @property
    @abstractmethod
    def _lookup(self) -> InferenceFreeQueries: ...

    @property
    def idf(self) -> NDArray[np.float32] | None:
        return self._lookup.idf if self.lexical_queries else None

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        found = self._encoded(texts)
        return found.prune(max_ratio=self.prune, importance=self.idf) if self.prune else found

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        return self._lookup.encode(texts) if self.lexical_queries else self._encoded(texts)

    def query_counts(self, texts: Sequence[str]) -> SparseVectors:
        return self._lookup.counts(texts) if self.lexical_queries else super().query_counts(texts)

    def words(self, terms: Sequence[int]) -> list[str]:
        return self._tokenizer.tokens(terms)

    def spans(self, text: str) -> list[Span]:
        return [Span(*place) for place in self._tokenizer.offsets(text)]

    @property
    def frame(self) -> int:
        """How many special tokens surround those of a text that the network reads."""
        return self._tokenizer.frame

    def token_places(self, text: str) -> list[tuple[int, int]]:
        """Where each token stands in a text, unknown ones too: characters, end exclusive."""
        return self._tokenizer.places(text)


def checked_prune(prune: float) -> float:
    """The same, if it is a share.

    Raises
    ------
    InvalidSettingError
        It is not within 0 and 1.
    """
    if not 0 <= prune <= 1:
        raise InvalidSettingError(f"prune is {prune}, it must be within 0 and 1")
    return float(prune)
