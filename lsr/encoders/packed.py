"""A BERT over the real tokens of a batch alone: no work is done for padding.

Knows the modules of transformers' `BertForMaskedLM`. Every map of a BERT but attention takes one token at a time, so a
batch is laid out as one row of its real tokens; attention is told where each text begins. Texts of 20 and of 250
tokens may then share a batch at no loss, which training needs: its batches are drawn, not sorted.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before torch 2.10
    varlen_attn = None  # type: ignore[assignment]

#: Types that it takes.
_HALF = (torch.bfloat16, torch.float16)


def packable(model: Any) -> bool:
    """Whether `packed_states` computes what the model does: a BERT encoder whose head is transform and decoder."""
    body = getattr(model, "bert", None)
    head = getattr(getattr(model, "cls", None), "predictions", None)
    config = getattr(model, "config", None)
    return (
        body is not None
        and hasattr(head, "transform")
        and getattr(config, "model_type", "") == "bert"
        and not getattr(config, "is_decoder", False)
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
    )


def packed_states(model: Any, ids: torch.Tensor, mask: torch.Tensor, *, compiled: bool = False) -> torch.Tensor:
    """What the decoder of a packable model reads, differentiable in the model's parameters.

    Parameters
    ----------
    model : transformers.BertForMaskedLM
        Without dropout, or in evaluation: none is applied to attention.
    ids : int64 tensor of shape (B, L)
    mask : bool tensor of shape (B, L)
        True at real positions.
    compiled : bool
        Run the layers through torch.compile, once for all of them and for any number of tokens: norms, activations and
        casts are most of the time of a small body, and are fused then. The first batch waits for it.

    Returns
    -------
    tensor of shape (B, L, d)
        0 at padding.
    """
    count, length = ids.shape
    places = mask.reshape(-1).nonzero().squeeze(1)
    borders = torch.zeros(count + 1, dtype=torch.int32, device=ids.device)
    borders[1:] = mask.sum(1).cumsum(0)
    positions = places % length
    flat = ids.reshape(-1)[places]
    body = model.bert
    states = body.embeddings(flat[None], position_ids=positions[None], token_type_ids=torch.zeros_like(flat)[None])[0]
    step = _compiled_layer() if compiled else _layer
    for layer in body.encoder.layer:
        states = step(layer, states, borders, places, mask)
    states = model.cls.predictions.transform(states)
    out: torch.Tensor = states.new_zeros(count * length, states.shape[1]).index_copy(0, places, states)
    return out.view(count, length, -1)


@functools.cache
def _compiled_layer() -> Any:
    return torch.compile(_layer, dynamic=True)


def _layer(
    layer: Any, states: torch.Tensor, borders: torch.Tensor, places: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """One layer: (T, d) to (T, d)."""
    own = layer.attention.self
    query, key, value = (
        part(states).view(len(states), own.num_attention_heads, -1) for part in (own.query, own.key, own.value)
    )
    found = _attend(query, key, value, borders, places, mask)
    states = layer.attention.output(found.reshape(len(states), -1), states)
    out: torch.Tensor = layer.output(layer.intermediate(states), states)
    return out


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: torch.Tensor,
    places: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Attention within each text: (T, heads, d / heads) each."""
    if varlen_attn is not None and query.is_cuda and query.dtype in _HALF:
        longest = mask.shape[1]
        packed = varlen_attn(query, key, value, borders, borders, longest, longest)
        assert isinstance(packed, torch.Tensor)  # a tuple only where more is asked for
        return packed
    count, length = mask.shape

    def padded(part: torch.Tensor) -> torch.Tensor:
        out = part.new_zeros(count * length, *part.shape[1:]).index_copy(0, places, part)
        return out.view(count, length, *part.shape[1:]).transpose(1, 2)

    # A text without a token attends to its padding: softmax over nothing is not a number.
    seen = mask | ~mask.any(1, keepdim=True)
    found = torch.nn.functional.scaled_dot_product_attention(
        padded(query), padded(key), padded(value), attn_mask=seen[:, None, None, :]
    )
    return found.transpose(1, 2).reshape(count * length, *query.shape[1:])[places]
