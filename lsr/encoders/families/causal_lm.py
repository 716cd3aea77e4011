"""Decoder-only language models as sparse encoders, in the manner of Echo-Mistral-SPLADE (arXiv 2408.11119).

A causal model sees nothing of what follows a token. So the text is given twice and only the second copy is pooled
(echo embeddings, arXiv 2402.15449): Document:⟨text⟩ Document again:⟨text⟩. Or attention is made bidirectional.
w_j = log(1 + relu(max over the pooled positions of the logit)); `logit_scale` multiplies the logits first (Lion-SP,
arXiv 2502.15526, has d^(−1/4)).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.families.base import Family, Network, Option, Placing, Side
from lsr.encoders.families.models import load_model
from lsr.encoders.head import SplitModel, pooled_weights
from lsr.errors import InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

OPTIONS: dict[str, tuple[Option, ...]] = {
    "echo": (True, False),
    "attention": ("causal", "bidirectional"),
    "activation": ("log1p_relu", "log1p_log1p_relu"),
    "logit_scale": (),
    # What comes before each copy of the text.
    "first": (),
    "second": (),
}
FIRST, SECOND = "Document:", "\nDocument again:"


class CausalLmNetwork(Network):
    """The language model's head over the second copy of the text."""

    def __init__(self, side: Side, placing: Placing) -> None:
        super().__init__(placing)
        self._split = SplitModel(load_model("AutoModelForCausalLM", side.checkpoint, placing))
        self.dim = len(self._split.weight)
        self._echo = bool(FAMILY.option(side, "echo"))
        self._bidirectional = FAMILY.option(side, "attention") == "bidirectional"
        self._activation = str(FAMILY.option(side, "activation"))
        self._scale = float(side.options.get("logit_scale") or 1.0)
        tokenizer = side.checkpoint.tokenizer()
        begin = side.options.get("first")
        again = side.options.get("second")
        self._before = tokenizer.prefix + (tokenizer.ids(FIRST if begin is None else str(begin)) if self._echo else [])
        self._between = tokenizer.ids(SECOND if again is None else str(again)) if self._echo else []
        self._after = tokenizer.suffix

    def inputs(self, tokenizer: WordPieceTokenizer, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """The text once, or twice with what is put before each copy; `max_length` counts all of it."""
        room = max_length - len(self._before) - len(self._between) - len(self._after)
        room = room // 2 if self._echo else room
        if room < 1:
            raise InvalidSettingError(
                f"max_length is {max_length}: it leaves no room for a token", remedy="Raise max_length"
            )
        bare = [
            row[len(tokenizer.prefix) : len(row) - len(tokenizer.suffix)]
            for row in tokenizer.inputs(texts, room + tokenizer.frame)
        ]
        copies = [(row + self._between + row if self._echo else row) for row in bare]
        return [self._before + copy + self._after if row else [] for row, copy in zip(bare, copies, strict=True)]

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        with torch.inference_mode():
            tokens, real = self.tensors(ids, mask)
            end = real.sum(1) - len(self._after)
            start = torch.full_like(end, len(self._before))
            if self._echo:
                start = end - (end - len(self._before) - len(self._between)) // 2
            place = torch.arange(tokens.shape[1], device=self.device)
            pooled = (place >= start[:, None]) & (place < end[:, None])
            attention = real
            if self._bidirectional:
                seen = real.bool()[:, None, None, :].expand(-1, 1, tokens.shape[1], -1)
                hidden = torch.finfo(self.dtype).min
                attention = torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill_(~seen, hidden)
            states = self._split.states(tokens, attention)
            if self._scale != 1.0:
                states = states * self._scale
            weights = pooled_weights(
                states,
                pooled,
                self._split.weight,
                self._split.bias,
                pooling="max",
                activation=self._activation,
            )
            return self.rows(weights, dropped)


FAMILY = Family("causal-lm", OPTIONS, CausalLmNetwork)
