"""The head of SPLADE as one differentiable function that never holds the logits of shape (B, L, V).

Knows hidden states, a decoder and what follows the maximum over positions. Knows nothing of models, tokenizers,
batches or losses. Encoding and training both use it.

The activations are monotone, so they may follow the maximum: w = act(max over real positions of h·W + b). Of the
forward pass only that maximum and its position are kept, and a gradient reaches one position for each active term of
a text: the backward pass costs what is active, not B·L·V (the idea of Sparton, arXiv 2603.25011).

Two forms compute the same: tiles of the vocabulary in torch, on any device; and kernels in Triton for CUDA
(`lsr.encoders.fused_kernels`), in which no tile of logits ever leaves the chip.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch

from lsr.errors import InvalidSettingError

#: What follows the maximum. log1p_relu: log(1 + relu(x)), SPLADE v2, arXiv 2109.10086. log1p_log1p_relu:
#: log(1 + log(1 + relu(x))), the ℓ0-approximating activation of arXiv 2504.14839.
ACTIVATIONS = ("log1p_relu", "log1p_log1p_relu")
BACKENDS = ("auto", "torch", "triton")

#: Terms of a tile of the torch form on a CPU, where a tile should fit the cache, and elsewhere: (B, L, tile) logits
#: exist at one time.
TILE, TILE_ON_GPU = 512, 4096
#: Floats of the (active terms, d) products that the torch form's backward pass holds at one time.
_CHUNK = 1 << 24


def fused_head(
    states: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    activation: str = "log1p_relu",
    tile: int | None = None,
    backend: str = "auto",
) -> torch.Tensor:
    """Term weights of each text, differentiable in `states`, `weight` and `bias`.

    Parameters
    ----------
    states : floating tensor of shape (B, L, d)
        What the decoder reads.
    mask : tensor of shape (B, L)
        True or not 0 at real positions, which may lie anywhere in a row.
    weight : floating tensor of shape (V, d)
        The decoder.
    bias : floating tensor of shape (V,), optional
        The decoder's bias.
    activation : "log1p_relu" or "log1p_log1p_relu"
        What follows the maximum.
    tile : int, optional
        Terms of a tile of the torch form; `TILE` or `TILE_ON_GPU` unless it is given.
    backend : "auto", "torch" or "triton"
        auto: Triton on CUDA where it is installed, else torch.

    Returns
    -------
    float32 tensor of shape (B, V)
        0 in a row without a real position. Products are computed in autocast's dtype where autocast is on, else in
        that of `states`; bias and activation in float32.

    Raises
    ------
    InvalidSettingError
        An unknown activation or backend, shapes that do not fit, or Triton where it cannot run.

    Notes
    -----
    Where several positions share a maximum, one of them takes the whole gradient. It is that of the naive head
    otherwise. Second derivatives are not defined.
    """
    if activation not in ACTIVATIONS:
        raise InvalidSettingError(f"activation is {activation!r}, it must be one of {', '.join(ACTIVATIONS)}")
    if tile is None:
        tile = TILE_ON_GPU if states.is_cuda else TILE
    if tile < 1:
        raise InvalidSettingError(f"tile is {tile}, it must be 1 or more")
    if states.ndim != 3 or mask.shape != states.shape[:2] or weight.ndim != 2 or weight.shape[1] != states.shape[2]:
        raise InvalidSettingError(
            f"states of shape {tuple(states.shape)}, mask {tuple(mask.shape)} and decoder {tuple(weight.shape)} do not "
            "fit; (B, L, d), (B, L) and (V, d) are wanted"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InvalidSettingError(f"a bias of shape {tuple(bias.shape)} does not fit {len(weight)} terms")
    triton = _use_triton(backend, states)
    if not states.shape[0] or not states.shape[1]:  # nothing to take a maximum of
        return states.new_zeros((len(states), len(weight)), dtype=torch.float32)
    found: torch.Tensor = _FusedHead.apply(states, mask.bool(), weight, bias, activation, tile, triton)  # type: ignore[no-untyped-call]
    return found


def _use_triton(backend: str, states: torch.Tensor) -> bool:
    if backend not in BACKENDS:
        raise InvalidSettingError(f"backend is {backend!r}, it must be one of {', '.join(BACKENDS)}")
    able = importlib.util.find_spec("triton") is not None and (states.is_cuda or _interpreted())
    if backend == "triton" and not able:
        raise InvalidSettingError(
            f"the Triton head cannot run on {states.device.type}", remedy="Install triton and use a CUDA device"
        )
    legal = states.dtype in (torch.float32, torch.bfloat16, torch.float16)
    return able and legal and (backend == "triton" or (backend == "auto" and states.is_cuda))


def _interpreted() -> bool:
    """Whether Triton runs in its interpreter, on the CPU: only in tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def activate_(peak: torch.Tensor, activation: str) -> torch.Tensor:
    """`activation` of maximal logits, in place."""
    peak = peak.relu_().log1p_()
    return peak.log1p_() if activation == "log1p_log1p_relu" else peak


def slope(weights: torch.Tensor, activation: str) -> torch.Tensor:
    """d weight / d logit, from the weight alone; 0 where the weight is 0.

    For w = log1p(x), 1/(1 + x) = exp(−w). For w = log1p(log1p(x)), with u = log1p(x) = expm1(w), it is
    exp(−w)·exp(−u).
    """
    exponent = weights if activation == "log1p_relu" else weights + torch.expm1(weights)
    return torch.exp(-exponent).mul_(weights > 0)


def peak_logits(
    states: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    tile: int | None = None,
) -> torch.Tensor:
    """(B, V) float32: the maximum over real positions of each logit, −∞ in a row without any; not differentiable.

    Arguments as of `fused_head`.
    """
    with torch.no_grad():
        peak, _ = _tiled_peaks(states, mask.bool(), weight, tile or TILE, False)
        return peak if bias is None else peak + bias.float()


class _FusedHead(torch.autograd.Function):
    """Forward and backward of `fused_head`; arguments are checked already."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        mask: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        activation: str,
        tile: int,
        triton: bool,
    ) -> torch.Tensor:
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        ctx.dtypes = states.dtype, weight.dtype, None if bias is None else bias.dtype
        with torch.autocast(device, enabled=False):
            states, weight = states.to(dtype).contiguous(), weight.to(dtype).contiguous()
            wanted = any(ctx.needs_input_grad)
            peaks = _triton_peaks if triton else _tiled_peaks
            peak, place = peaks(states, mask, weight, tile, wanted)
            if bias is not None:
                peak += bias.float()
            found = activate_(peak, activation)
            if wanted:
                ctx.save_for_backward(states, weight, found, place)
                ctx.activation, ctx.triton = activation, triton
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, weight, found, place = ctx.saved_tensors
        wants_states, _, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        for_states, for_weight, for_bias = ctx.dtypes
        with torch.autocast(states.device.type, enabled=False):
            gradient = slope(found, ctx.activation).mul_(gradient)
            spread = _triton_gradients if ctx.triton else _sparse_gradients
            d_states, d_weight = spread(gradient, place, states, weight, wants_states, wants_weight)
            d_bias = gradient.sum(0).to(for_bias) if wants_bias else None
            return (
                None if d_states is None else d_states.to(for_states),
                None,
                None if d_weight is None else d_weight.to(for_weight),
                d_bias,
                None,
                None,
                None,
            )


Peaks = tuple[torch.Tensor, torch.Tensor | None]


# -- in torch ---------------------------------------------------------------------------------------------------------


def _tiled_peaks(states: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, tile: int, wanted: bool) -> Peaks:
    """(B, V) float32 maximal logits, −∞ in a row without a real position, and, where wanted, their positions."""
    rows = torch.arange(len(states), device=states.device)
    # Padding takes the state of a real position of its row: no tile of logits needs a mask then.
    first = mask.int().argmax(1)
    filled = torch.where(mask[..., None], states, states[rows, first][:, None, :])
    peak = states.new_empty((len(states), len(weight)), dtype=torch.float32)
    place = torch.empty_like(peak, dtype=_place_dtype(states.shape[1])) if wanted else None
    for start in range(0, len(weight), tile):
        part = slice(start, start + tile)
        logits = filled @ weight[part].T
        if place is None:
            peak[:, part] = logits.amax(1)
        else:
            values, places = logits.max(1)
            peak[:, part] = values
            # Padding may win by a tie with the position whose state it has: that one is meant.
            place[:, part] = torch.where(mask.gather(1, places), places, first[:, None])
    return peak.masked_fill_(~mask.any(1, keepdim=True), -torch.inf), place


def _place_dtype(length: int) -> torch.dtype:
    return torch.int16 if length < 1 << 15 else torch.int32


def _sparse_gradients(
    gradient: torch.Tensor,
    place: torch.Tensor,
    states: torch.Tensor,
    weight: torch.Tensor,
    wants_states: bool,
    wants_weight: bool,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Gradients (B, L, d) and (V, d) in float32 from that of the maximal logits, (B, V): one product for each of its
    entries that is not 0.
    """
    width = states.shape[2]
    flat = states.reshape(-1, width)
    d_states = torch.zeros_like(flat, dtype=torch.float32) if wants_states else None
    d_weight = torch.zeros_like(weight, dtype=torch.float32) if wants_weight else None
    rows, terms = gradient.nonzero(as_tuple=True)
    values = gradient[rows, terms]
    positions = rows * states.shape[1] + place[rows, terms]
    step = max(1, _CHUNK // width)
    for part in (slice(start, start + step) for start in range(0, len(values), step)):
        value, position, term = values[part, None], positions[part], terms[part]
        if d_states is not None:
            d_states.index_add_(0, position, weight[term].float().mul_(value))
        if d_weight is not None:
            d_weight.index_add_(0, term, flat[position].float().mul_(value))
    return None if d_states is None else d_states.reshape(states.shape), d_weight


# -- in Triton --------------------------------------------------------------------------------------------------------


def _triton_peaks(states: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, tile: int, wanted: bool) -> Peaks:
    from lsr.encoders.fused_kernels import peaks

    place = _place_dtype(states.shape[1]) if wanted else None
    return peaks(states, mask, weight, place)


def _triton_gradients(
    gradient: torch.Tensor,
    place: torch.Tensor,
    states: torch.Tensor,
    weight: torch.Tensor,
    wants_states: bool,
    wants_weight: bool,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    from lsr.encoders.fused_kernels import state_gradient, weight_gradient

    rows, terms = gradient.nonzero(as_tuple=True)
    values, places = gradient[rows, terms], place[rows, terms]
    d_states = state_gradient(rows, terms, places, values, states, weight) if wants_states else None
    d_weight = weight_gradient(rows, terms, places, values, states, weight) if wants_weight else None
    return d_states, d_weight
