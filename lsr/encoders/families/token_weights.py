"""A weight for each token that stands in the text, by a small head on its last hidden state: uniCOIL, BGE-M3, TN's MLP.

w_l = activation(MLP(h_l)), then for each token id the maximum (documents) or the sum (uniCOIL's queries) over its
positions. uniCOIL: arXiv 2106.14807. BGE-M3: arXiv 2402.03216. DeepImpact weighs words, not tokens: see `deepimpact`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.families.base import Family, Network, Placing, Side, gather_terms
from lsr.encoders.families.models import all_tensors, load_body, load_model, read_tensors
from lsr.errors import EncoderError
from lsr.vectors import SparseVectors

OPTIONS = {
    "pooling": ("max", "sum"),
    "activation": ("relu", "log1p_relu", "softplus", "log1p_softplus"),
    # The tensors of the head: PREFIX + weight and bias, or those of a Sequential, PREFIX + 0.weight and so on.
    "head": (),
    # The file that they are in; None: among the model's own weights.
    "head_file": (),
    # Before the names of the body's weights; None: as transformers names them.
    "prefix": (),
    # What all weights are multiplied with.
    "scale": (),
}


class TokenWeights(Network):
    """The weight of each position, and their pooling by token id."""

    def __init__(self, side: Side, placing: Placing) -> None:
        super().__init__(placing)
        checkpoint, head_file = side.checkpoint, side.options.get("head_file")
        prefix = side.options.get("prefix")
        own = all_tensors(checkpoint) if prefix is not None or head_file is None else {}
        if prefix is None:
            self._body = load_model("AutoModel", checkpoint, placing)
        else:
            self._body = load_body("AutoModel", checkpoint, own, str(prefix).split("|"), placing)
        tensors = own if head_file is None else read_tensors(checkpoint.folder / str(head_file))
        width = int(self._body.config.hidden_size)
        layers = linear_layers(tensors, str(side.options["head"]).split("|"), width, checkpoint.name)
        self._layers = [(weight.to(self.device).float(), bias.to(self.device).float()) for weight, bias in layers]
        self._activation = str(FAMILY.option(side, "activation"))
        self._pooling = str(FAMILY.option(side, "pooling"))
        self._scale = float(side.options.get("scale") or 1.0)
        self.dim = int(self._body.config.vocab_size)

    def position_weights(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 ndarray of shape (rows, length): the weight of each position, 0 at padding."""
        with torch.inference_mode():
            tokens, real = self.tensors(ids, mask)
            x = self._body(input_ids=tokens, attention_mask=real).last_hidden_state.float()
            for number, (weight, bias) in enumerate(self._layers):
                x = torch.nn.functional.linear(x.relu() if number else x, weight, bias)
            x = x.squeeze(-1)
            x = torch.nn.functional.softplus(x) if "softplus" in self._activation else x.relu()
            if self._activation.startswith("log1p"):
                x = x.log1p()
            weights: NDArray[np.float32] = (x * real * self._scale).cpu().numpy()
            return weights

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        return gather_terms(ids, self.position_weights(ids, mask), self.dim, dropped, self._pooling)


def linear_layers(
    tensors: Mapping[str, torch.Tensor], prefixes: Sequence[str], width: int, name: str
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(weight, bias) of each linear layer of a head, in order: one, or those of a Sequential; the last gives 1 number.

    Raises
    ------
    EncoderError
        There is none, or its layers do not fit.
    """
    for prefix in prefixes:
        weights = {key: tensor for key, tensor in tensors.items() if key.startswith(prefix) and key.endswith("weight")}
        if weights:
            break
    else:
        raise EncoderError(f"{name} has no head under the name {prefixes[0]}weight", remedy="Fetch all of its files")
    layers = []
    for key in sorted(weights, key=lambda key: [int(part) for part in key.split(".") if part.isdigit()]):
        weight = weights[key]
        bias = tensors.get(key.removesuffix("weight") + "bias")
        layers.append((weight, weight.new_zeros(len(weight)) if bias is None else bias))
    widths = [width, *(len(weight) for weight, _ in layers)]
    fits = all(weight.ndim == 2 and weight.shape[1] == read for (weight, _), read in zip(layers, widths, strict=False))
    if not fits or widths[-1] != 1:
        shapes = ", ".join(str(tuple(weight.shape)) for weight, _ in layers)
        raise EncoderError(
            f"the head of {name} has layers of shapes {shapes}; one number from {width} is wanted",
            remedy="Token-level COIL and other heads of several numbers cannot be indexed as one weight a term",
        )
    return layers


FAMILY = Family("token-weights", OPTIONS, TokenWeights)
