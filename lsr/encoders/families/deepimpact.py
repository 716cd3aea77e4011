"""DeepImpact: an impact for each word of a text, from the first token of its first occurrence.

impact(word) = relu(MLP(h_l)), l the position of that token; arXiv 2104.12016. Words are what the tokenizer's
normaliser and splitter make, punctuation aside. A query is its words, each counting 1. Terms are words, so this is an
encoder of its own, over the vocabulary that an index keeps.
"""

from __future__ import annotations

import importlib.util
import string
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder, Span, TermDictionary
from lsr.encoders.batching import encode_in_batches
from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families.base import Placing, Side
from lsr.encoders.layouts.token_heads import tensor_names
from lsr.encoders.manifest import digest
from lsr.errors import InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

REVISION = 1
MAX_LENGTH = 300
HEAD = "impact_score_encoder."
_PUNCTUATION = frozenset(string.punctuation)


def is_deepimpact(checkpoint: Checkpoint) -> bool:
    """Whether the folder says so, by its architecture or the names of its tensors."""
    if not (checkpoint.folder / "config.json").is_file():
        return False
    named = any("DeepImpact" in name for name in checkpoint.architectures)
    return named or f"{HEAD}0.weight" in tensor_names(checkpoint)


class DeepImpactEncoder(Encoder):
    """Words with impacts.

    Parameters
    ----------
    checkpoint : str
        A folder or a hub id, with `impact_score_encoder` among the weights: one linear layer, or two with a ReLU
        between them.
    terms : TermDictionary
        The vocabulary: words met in documents are added to it.
    max_length : int
        Tokens of a text that the network reads; words that begin beyond are not indexed.
    device, batch_tokens :
        See `NeuralEncoder`.
    """

    lexical_queries = True
    needs_terms = True

    def __init__(
        self,
        checkpoint: str,
        terms: TermDictionary,
        *,
        max_length: int | None = None,
        device: str = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        self._checkpoint = found = Checkpoint.locate(checkpoint)
        found.check()
        length = found.reading_length(max_length, MAX_LENGTH)
        if batch_tokens is not None and batch_tokens < 1:
            raise InvalidSettingError(f"batch_tokens is {batch_tokens}, it must be 1 or more")
        self.name = found.name
        self.max_length: int = length
        self._terms = terms
        self._placing = Placing(device)
        self._batch_tokens = batch_tokens or 2048
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        record = {"family": "deepimpact", "revision": REVISION, "checkpoint": self._checkpoint.digest()}
        return digest(record | {"max_length": self.max_length})

    @property
    def dim(self) -> int:
        return len(self._terms)

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return {"max_length": self.max_length}

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        tokenizer = self._tokenizer
        split = [_first_tokens(tokenizer, text, self.max_length) for text in texts]
        words = list(dict.fromkeys(word for _, firsts in split for word in firsts))
        numbers = dict(zip(words, self._terms.intern(words), strict=True))
        weights = self._position_weights([ids for ids, _ in split])
        rows: list[dict[int, float]] = []
        for (_, firsts), row in zip(split, weights, strict=True):
            impacts = dict(zip(row.terms.tolist(), row.weights.tolist(), strict=True))
            rows.append({numbers[word]: impacts[place] for word, place in firsts.items() if place in impacts})
        return SparseVectors.from_dicts(rows, len(self._terms))

    def _position_weights(self, inputs: list[list[int]]) -> SparseVectors:
        """One row a text: position -> impact."""
        network = self._network

        def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
            found = network.position_weights(ids, mask)
            wide = np.zeros((len(found), self.max_length), np.float32)
            wide[:, : found.shape[1]] = found
            return SparseVectors.from_dense(wide)

        return encode_in_batches(
            inputs, forward, dim=self.max_length, pad_id=self._tokenizer.pad_id, budget=self._batch_tokens
        )

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        return self.query_counts(texts)

    def query_counts(self, texts: Sequence[str]) -> SparseVectors:
        rows = []
        for text in texts:
            words = list(
                dict.fromkeys(word for word, _, _ in self._tokenizer.words_of(text) if word not in _PUNCTUATION)
            )
            known = self._terms.lookup(words)
            rows.append({number: 1.0 for number in known if number is not None})
        return SparseVectors.from_dicts(rows, len(self._terms))

    def words(self, terms: Sequence[int]) -> list[str]:
        return self._terms.words(terms)

    def spans(self, text: str) -> list[Span]:
        found = [(word, start, end) for word, start, end in self._tokenizer.words_of(text) if word not in _PUNCTUATION]
        numbers = self._terms.lookup([word for word, _, _ in found])
        return [
            Span(number, start, end)
            for number, (_, start, end) in zip(numbers, found, strict=True)
            if number is not None
        ]

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer:
        return self._checkpoint.tokenizer()

    @cached_property
    def _network(self):  # type: ignore[no-untyped-def]
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
            raise MissingExtraError(f"the encoder {self.name}", "torch")
        from lsr.encoders.families.token_weights import TokenWeights

        options = {"head": HEAD, "prefix": "bert.|roberta.|distilbert.|model."}
        return TokenWeights(Side("token-weights", self._checkpoint, options), self._placing)


def _first_tokens(tokenizer: WordPieceTokenizer, text: str, max_length: int) -> tuple[list[int], dict[str, int]]:
    """The token ids that the network reads, and the place among them of each word's first token, once a word."""
    ids, firsts = list(tokenizer.prefix), {}
    room = max_length - len(tokenizer.suffix)
    for word, tokens in tokenizer.split_words(text, max_length):
        if len(ids) >= room:
            break
        if word not in _PUNCTUATION and word not in firsts and tokens:
            firsts[word] = len(ids)
        ids += tokens[: room - len(ids)]
    return (ids + tokenizer.suffix if firsts or len(ids) > len(tokenizer.prefix) else []), firsts
