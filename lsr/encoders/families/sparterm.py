"""SparTerm: how important each token of the vocabulary is for a text, and a gate that says which may be added to it.

w = p ⊙ g with p_j = Σ over positions of relu(logit_j) of the importance predictor, and g_j = 1 where the token stands
in the text or the gating controller lets it in: arXiv 2010.00768. Two masked language models, in the folders
`importance` and `gate`. The gate is open where the greatest logit over the positions exceeds `gate_logit`, that is
where its probability exceeds σ(gate_logit): the paper's binarizer with a threshold that a checkpoint may state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families.base import Family, Network, Placing, Side
from lsr.encoders.families.models import load_model
from lsr.encoders.head import SplitModel, pooled_weights
from lsr.errors import EncoderError
from lsr.vectors import SparseVectors

OPTIONS = {"expand": (True, False), "gate_logit": ()}
GATE = "gate"


class SparTermNetwork(Network):
    """The importance predictor, and the gating controller unless the vectors are literal only."""

    def __init__(self, side: Side, placing: Placing) -> None:
        super().__init__(placing)
        self._importance = SplitModel(load_model("AutoModelForMaskedLM", side.checkpoint, placing))
        self.dim = len(self._importance.weight)
        self._gate: SplitModel | None = None
        self._threshold = float(side.options.get("gate_logit") or 0.0)
        if FAMILY.option(side, "expand"):
            folder = side.checkpoint.folder.parent / GATE
            gate = Checkpoint(folder, str(folder))
            if not gate.weight_files:
                raise EncoderError(
                    f"{folder} has no weights: SparTerm needs a gating controller",
                    remedy="Add it, or set expand to false for literal vectors",
                )
            self._gate = SplitModel(load_model("AutoModelForMaskedLM", gate, placing))
            if len(self._gate.weight) != self.dim:
                raise EncoderError(f"the gate in {folder} is of another vocabulary than the importance predictor")

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        with torch.inference_mode():
            tokens, real = self.tensors(ids, mask)
            literal = torch.zeros((len(tokens), self.dim), device=self.device)
            literal.scatter_reduce_(1, tokens, real.float(), "amax")
            gate = literal > 0
            if self._gate is not None:
                states = self._gate.states(tokens, real)
                peak = pooled_weights(
                    states, real, self._gate.weight, self._gate.bias, pooling="max", activation="none"
                )
                gate |= peak > self._threshold
            importance = pooled_weights(
                self._importance.states(tokens, real),
                real,
                self._importance.weight,
                self._importance.bias,
                pooling="sum",
                activation="relu",
            )
            return self.rows(importance * gate, dropped)


FAMILY = Family("sparterm", OPTIONS, SparTermNetwork)
