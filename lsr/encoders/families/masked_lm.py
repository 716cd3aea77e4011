"""SPLADE: the logits of a masked language model, pooled over the positions of a text.

v1 sums, arXiv 2107.05720; v2, ++ and v3 take the maximum, arXiv 2109.10086; the ℓ0 models of OpenSearch apply log1p
twice, arXiv 2504.14839. SPLADE-doc and the encoders of documents of the inference-free models are this too; an
Efficient SPLADE is two of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.families.base import Family, Network, Placing, Side
from lsr.encoders.families.models import all_tensors, load_body, load_model
from lsr.encoders.head import SplitModel, pooled_weights
from lsr.vectors import SparseVectors

OPTIONS = {
    "pooling": ("max", "sum"),
    "activation": ("log1p_relu", "log1p_log1p_relu"),
    # Which positions are pooled: those of special tokens are left out by thongnt99's encoders, and its CLS_MLM reads
    # the first alone.
    "positions": ("all", "text", "first"),
    # Where the weights stand in the file under names of another program.
    "prefix": (),
}


class MaskedLmNetwork(Network):
    """w_j = pooling over positions of activation(logit_j)."""

    def __init__(self, side: Side, placing: Placing) -> None:
        super().__init__(placing)
        prefix = side.options.get("prefix")
        kind = "AutoModelForMaskedLM"
        if prefix is None:
            model = load_model(kind, side.checkpoint, placing)
        else:
            model = load_body(kind, side.checkpoint, all_tensors(side.checkpoint), [str(prefix)], placing)
        self._split = SplitModel(model)
        self.dim = len(self._split.weight)
        self._pooling = str(FAMILY.option(side, "pooling"))
        self._activation = str(FAMILY.option(side, "activation"))
        self._positions = str(FAMILY.option(side, "positions"))
        self._special = side.checkpoint.tokenizer().special_ids

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        with torch.inference_mode():
            tokens, real = self.tensors(ids, mask)
            states = self._split.states(tokens, real)
            if self._positions == "first":
                states, real = states[:, :1], real[:, :1]
            elif self._positions == "text":
                real = real.bool() & ~torch.isin(tokens, torch.tensor(self._special, device=self.device))
            weights = pooled_weights(
                states,
                real,
                self._split.weight,
                self._split.bias,
                pooling=self._pooling,
                activation=self._activation,
            )
            return self.rows(weights, dropped)


FAMILY = Family("masked-lm", OPTIONS, MaskedLmNetwork)
