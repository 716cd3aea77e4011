"""Contextual weights of n-grams, in the manner of SPARC (arXiv 1911.02896), over a hashed vocabulary.

For each order n a query and a key projection of the last hidden states give a rectified attention between positions,
A = relu(Q·Kᵀ/√d); a row of it, gathered by the n-grams that begin at each position, is the sparse vector of one
position: S_i = A_i·F with F_{l,g} = 1 where the n-gram g begins at l. A document, which is found as a whole, has for
each n-gram the maximum over its positions i; a query the row of its first token, as in SPARC.

SPARC's own n-gram vocabulary of 16.8 million columns is a hash here: term = xxh64(token ids) mod dim. Two n-grams that
meet in one column are taken for one; at the default 2²² columns that is rare in one text.
"""

from __future__ import annotations

import importlib.util
import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from lsr.encoders.base import Encoder, Span
from lsr.encoders.batching import encode_in_batches
from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families.base import Placing
from lsr.encoders.manifest import digest
from lsr.errors import EncoderError, InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

REVISION = 1
MAX_LENGTH = 256
DIM = 1 << 22
HEADS = "heads.safetensors"
#: Spellings of n-grams that are remembered, to show what a term is: a hash does not say.
_REMEMBERED = 1 << 16


class NgramEncoder(Encoder):
    """Hashed n-grams of tokens with contextual weights, for documents and for queries.

    Parameters
    ----------
    checkpoint : str
        A folder with an encoder (`AutoModel`), a tokenizer, `encoder.json` (family "ngrams", and `orders` and `dim` if
        they are not (1, 2) and 2²²) and `heads.safetensors`: N.query.weight, N.query.bias, N.key.weight, N.key.bias of
        each order N, shapes (d, d) and (d,).
    max_length, device, batch_tokens :
        See `NeuralEncoder`.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        record: Mapping[str, Any],
        max_length: int | None = None,
        device: str = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        self._checkpoint = found = Checkpoint.locate(checkpoint)
        found.check()
        self._orders = tuple(sorted(int(order) for order in record.get("orders", (1, 2))))
        self._dim = int(record.get("dim", DIM))
        if not self._orders or self._orders[0] < 1 or not 1 <= self._dim <= 1 << 32:
            raise EncoderError(
                f"{found.name} has orders {self._orders} and dim {self._dim}", remedy="Correct encoder.json"
            )
        length = found.reading_length(max_length, MAX_LENGTH)
        if batch_tokens is not None and batch_tokens < 1:
            raise InvalidSettingError(f"batch_tokens is {batch_tokens}, it must be 1 or more")
        self.name = found.name
        self.max_length: int = length
        self._placing = Placing(device)
        self._batch_tokens = batch_tokens or 2048
        self._seen: OrderedDict[int, str] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        record = {"family": "ngrams", "revision": REVISION, "checkpoint": self._checkpoint.digest()}
        return digest(record | {"max_length": self.max_length, "orders": self._orders, "dim": self._dim})

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return {"max_length": self.max_length}

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        return self._encode(texts, first_only=False)

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        return self._encode(texts, first_only=True)

    def words(self, terms: Sequence[int]) -> list[str]:
        """Spellings of n-grams of texts that were encoded or shown lately; "[#7]" for a term of others."""
        return [self._seen.get(int(term), f"[#{term}]") for term in terms]

    def spans(self, text: str) -> list[Span]:
        found = self._tokenizer.offsets(text)
        spans = []
        for order in self._orders:
            for start in range(len(found) - order + 1):
                ids = [token for token, _, _ in found[start : start + order]]
                term = self._term(ids)
                self._remember(term, ids)
                spans.append(Span(term, found[start][1], found[start + order - 1][2]))
        return sorted(spans, key=lambda span: (span.start, span.end))

    def _encode(self, texts: Sequence[str], *, first_only: bool) -> SparseVectors:
        tokenizer, network = self._tokenizer, self._network
        special = set(tokenizer.special_ids)

        def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
            attentions = network(ids, mask, first_only)
            rows = []
            for number, row_ids in enumerate(ids.tolist()):
                length = int(mask[number].sum())
                row: dict[int, float] = {}
                for order, attention in zip(self._orders, attentions, strict=True):
                    self._gather(row_ids[:length], order, attention[number], special, row)
                rows.append(row)
            return SparseVectors.from_dicts(rows, self._dim)

        inputs = tokenizer.inputs(texts, self.max_length)
        return encode_in_batches(inputs, forward, dim=self._dim, pad_id=tokenizer.pad_id, budget=self._batch_tokens)

    def _gather(
        self, ids: list[int], order: int, attention: NDArray[np.float32], special: set[int], row: dict[int, float]
    ) -> None:
        """Add max over rows of Σ over the places of each n-gram of `attention`, of shape (rows, length)."""
        places: dict[int, list[int]] = {}
        for start in range(len(ids) - order + 1):
            gram = ids[start : start + order]
            if special.isdisjoint(gram):
                term = self._term(gram)
                places.setdefault(term, []).append(start)
                self._remember(term, gram)
        for term, starts in places.items():
            weight = float(attention[:, starts].sum(1).max())
            if weight > 0:
                row[term] = max(weight, row.get(term, 0.0))

    def _term(self, ids: Sequence[int]) -> int:
        return int(xxhash.xxh64_intdigest(struct.pack(f"<{len(ids)}I", *ids)) % self._dim)

    def _remember(self, term: int, ids: Sequence[int]) -> None:
        if term not in self._seen:
            with self._lock:
                self._seen[term] = " ".join(self._tokenizer.tokens(ids))
                while len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer:
        return self._checkpoint.tokenizer()

    @cached_property
    def _network(self) -> Any:
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
            raise MissingExtraError(f"the encoder {self.name}", "torch")
        from lsr.encoders.families.rectified import RectifiedAttention

        return RectifiedAttention(self._checkpoint, HEADS, self._orders, self._placing)
