"""The masked-language-model head and its pooling in torch, in tiles of the vocabulary.

Knows hidden states, a decoder and the two poolings of SPLADE. Knows nothing of tokenizers, batches or files.
"""

from __future__ import annotations

from typing import Any

import torch

from lsr.encoders.fused_head import ACTIVATIONS, TILE, activate_, fused_head, peak_logits
from lsr.errors import EncoderError


class SplitModel:
    """A `*ForMaskedLM` of any architecture, cut before its decoder.

    The decoder (the last linear map, hidden states to logits of shape (B, L, V)) is taken out and an identity put in
    its place, so what the model calls logits are the states that the decoder would read. Nothing of the architecture
    need be known.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Changed in place.

    Raises
    ------
    EncoderError
        The model has no linear decoder.
    """

    def __init__(self, model: Any) -> None:
        decoder = model.get_output_embeddings()
        if not isinstance(decoder, torch.nn.Linear):
            raise EncoderError(
                f"{type(model).__name__} has no masked-language-model head that lsr can read",
                remedy="Use a checkpoint that loads as *ForMaskedLM with a linear decoder",
            )
        self._model = model
        self.weight: torch.Tensor = decoder.weight
        bias = decoder.bias
        self.bias: torch.Tensor = self.weight.new_zeros(len(self.weight)) if bias is None else bias
        places = [
            (parent, name) for parent in model.modules() for name, child in parent.named_children() if child is decoder
        ]
        for parent, name in places:  # set_output_embeddings would ask the identity for a bias
            setattr(parent, name, torch.nn.Identity())

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, L) token ids and mask to (B, L, d): what the decoder reads."""
        found: torch.Tensor = self._model(input_ids=ids, attention_mask=mask).logits
        if found.shape[-1] != self.weight.shape[1]:
            raise EncoderError(
                f"the head of {type(self._model).__name__} gives states of width {found.shape[-1]}, its decoder reads "
                f"{self.weight.shape[1]}",
                remedy="This architecture does more after its decoder; lsr cannot split it",
            )
        return found


def pooled_weights(
    states: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    *,
    pooling: str,
    activation: str = "log1p_relu",
    tile: int | None = None,
) -> torch.Tensor:
    """Term weights of each text.

    Parameters
    ----------
    states : tensor of shape (B, L, d)
        What the decoder reads.
    mask : tensor of shape (B, L)
        True or 1 at real positions.
    weight, bias : tensors of shape (V, d) and (V,)
        The decoder.
    pooling : "max" or "sum"
        max: activation(max over real positions of the logit), SPLADE v2, arXiv 2109.10086: the activations are
        monotone, so they may follow the maximum; see `lsr.encoders.fused_head`. sum: Σ over real positions of
        activation(logit), SPLADE v1, arXiv 2107.05720.
    activation : str
        log1p_relu, log1p_log1p_relu, relu, or none (the logit itself, with "max" alone).
    tile : int, optional
        Terms whose logits, (B, L, tile), exist at one time.

    Returns
    -------
    tensor of shape (B, V)
        float32; 0 in a row without a real position (−∞ with activation none).
    """
    if pooling == "max" and activation in ACTIVATIONS:
        return fused_head(states, mask, weight, bias, activation=activation, tile=tile)
    if pooling == "max":
        peaks = peak_logits(states, mask, weight, bias, tile=tile)
        return peaks.relu_() if activation == "relu" else peaks
    return _summed(states, mask.bool(), weight, bias, activation, tile or TILE)


def _summed(
    states: torch.Tensor, real: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, activation: str, tile: int
) -> torch.Tensor:
    result = states.new_empty((len(states), len(weight)), dtype=torch.float32)
    for start in range(0, len(weight), tile):
        part = slice(start, start + tile)
        logits = (states @ weight[part].T).float().add_(bias[part])
        found = logits.relu_() if activation == "relu" else activate_(logits, activation)
        result[:, part] = (found * real[..., None]).sum(1)
    return result
