"""SPARTA: how well the best position of a text matches each token of the vocabulary, before any context.

w_j = log(1 + relu(max over positions of E_j · h_l + b)), with the input embeddings E_j of the tokens; arXiv
2009.13013. A query is its tokens, each once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.families.base import Family, Network, Placing, Side
from lsr.encoders.families.models import load_model
from lsr.encoders.fused_head import fused_head
from lsr.vectors import SparseVectors

OPTIONS = {"bias": ()}


class SpartaNetwork(Network):
    """The fused head over the table of input embeddings."""

    def __init__(self, side: Side, placing: Placing) -> None:
        super().__init__(placing)
        self._model = load_model("AutoModel", side.checkpoint, placing)
        self._table = self._model.get_input_embeddings().weight
        self.dim = len(self._table)
        self._bias = self._table.new_full((self.dim,), float(side.options.get("bias") or 0.0))

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        with torch.inference_mode():
            tokens, real = self.tensors(ids, mask)
            states = self._model(input_ids=tokens, attention_mask=real).last_hidden_state
            return self.rows(fused_head(states, real, self._table, self._bias), dropped)


FAMILY = Family("sparta", OPTIONS, SpartaNetwork)
