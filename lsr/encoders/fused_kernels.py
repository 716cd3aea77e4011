"""Kernels of `lsr.encoders.fused_head` in Triton, and the functions that launch them.

Take and give contiguous tensors on one CUDA device. Know no activation and check nothing. Imported only where Triton
is there and its form is chosen. Sums have a fixed order: equal inputs give equal bits.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

# -- forward ----------------------------------------------------------------------------------------------------------


@triton.jit
def _peaks_kernel(  # type: ignore[no-untyped-def]
    states,  # (B, L, D)
    mask,  # (B, L) int8
    ends,  # (B,) int32: one past the last real position
    weight,  # (V, D)
    peak,  # (B, V) float32, out
    place,  # (B, V) integers, out
    above,
    upto,
    L,
    V,
    D,
    BLOCK_L: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PLACES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The maximum over the real positions of a row of its logits of BLOCK_V terms, and where it is.

    Rows that end at `above` or before, or beyond `upto`, are left to another launch.
    """
    row = tl.program_id(1).to(tl.int64)
    end = tl.load(ends + row)
    if (end <= above) | (end > upto):
        return
    v = tl.program_id(0) * BLOCK_V + tl.arange(0, BLOCK_V)
    best = tl.full((BLOCK_V,), float("-inf"), tl.float32)
    where = tl.zeros((BLOCK_V,), tl.int32)
    for start in range(0, end, BLOCK_L):
        position = start + tl.arange(0, BLOCK_L)
        inside = position < L
        logits = tl.zeros((BLOCK_L, BLOCK_V), tl.float32)
        for depth in range(0, D, BLOCK_D):
            d = depth + tl.arange(0, BLOCK_D)
            h = tl.load(
                states + (row * L + position[:, None]) * D + d[None, :],
                mask=inside[:, None] & (d < D)[None, :],
                other=0.0,
            )
            w = tl.load(
                weight + v[None, :].to(tl.int64) * D + d[:, None], mask=(v < V)[None, :] & (d < D)[:, None], other=0.0
            )
            logits = tl.dot(h, w, logits, input_precision=PRECISION)
        real = tl.load(mask + row * L + position, mask=inside, other=0)
        logits = tl.where((real != 0)[:, None], logits, float("-inf"))
        if PLACES:
            value, index = tl.max(logits, 0, return_indices=True)
            where = tl.where(value > best, start + index, where)
        else:
            value = tl.max(logits, 0)
        best = tl.maximum(value, best)
    tl.store(peak + row * V + v, best, mask=v < V)
    if PLACES:
        tl.store(place + row * V + v, where, mask=v < V)


def peaks(
    states: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, place_dtype: torch.dtype | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(B, V) float32 maximal logits, −∞ in a row without a real position, and their positions where a dtype is given.

    states (B, L, d) and weight (V, d) of one dtype, mask (B, L) bool.
    """
    rows, length, width = states.shape
    terms = len(weight)
    count = torch.arange(1, length + 1, device=states.device, dtype=torch.int32)
    ends = (mask * count).amax(1).to(torch.int32)
    peak = states.new_empty((rows, terms), dtype=torch.float32)
    place = None if place_dtype is None else torch.empty_like(peak, dtype=place_dtype)
    wide = states.dtype != torch.float32
    block_v = 128 if wide else 64
    grid = (triton.cdiv(terms, block_v), rows)
    real = mask.to(torch.int8)
    above = -1
    for block_l, upto in _length_classes(length):
        _peaks_kernel[grid](
            states,
            real,
            ends,
            weight,
            peak,
            peak if place is None else place,
            above,
            upto,
            length,
            terms,
            width,
            BLOCK_L=block_l,
            BLOCK_V=block_v,
            BLOCK_D=64 if wide else 32,
            PLACES=place is not None,
            PRECISION=_precision(),
            num_warps=4,
            num_stages=3,
        )
        above = upto
    return peak, place


def _length_classes(length: int) -> list[tuple[int, int]]:
    """(positions of a tile, longest row) of each launch: a short row would waste most of a large tile.

    A program of a row of another class ends at once, so a launch more costs little.
    """
    if length <= 64:
        return [(max(16, triton.next_power_of_2(length)), length)]
    return [(32, 32), (64, 64), (128, length)]


def _precision() -> str:
    """Of float32 products: torch's own setting decides."""
    return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"


# -- backward ---------------------------------------------------------------------------------------------------------


@triton.jit
def _states_kernel(  # type: ignore[no-untyped-def]
    borders,  # (B + 1,) int64: the entries of each row
    terms,  # (n,) int64
    places,  # (n,) integers
    values,  # (n,) float32
    weight,  # (V, D)
    out,  # (B, L, D) float32
    L,
    D,
    BLOCK_L: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """out[b, l] = Σ over the entries of row b whose place is l of value × weight[term]."""
    row = tl.program_id(0).to(tl.int64)
    position = tl.program_id(1) * BLOCK_L + tl.arange(0, BLOCK_L)
    d = tl.program_id(2) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, last = tl.load(borders + row), tl.load(borders + row + 1)
    total = tl.zeros((BLOCK_L, BLOCK_D), tl.float32)
    for start in range(first, last, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        inside = n < last
        term = tl.load(terms + n, mask=inside, other=0)
        place = tl.load(places + n, mask=inside, other=-1).to(tl.int32)
        value = tl.load(values + n, mask=inside, other=0.0)
        w = tl.load(weight + term[:, None] * D + d[None, :], mask=inside[:, None] & (d < D)[None, :], other=0.0)
        chosen = tl.where(position[:, None] == place[None, :], value[None, :], 0.0)
        total = tl.dot(chosen.to(w.dtype), w, total, input_precision=PRECISION)
    tl.store(
        out + (row * L + position[:, None]) * D + d[None, :],
        total,
        mask=(position < L)[:, None] & (d < D)[None, :],
    )


@triton.jit
def _weight_kernel(  # type: ignore[no-untyped-def]
    borders,  # (V + 1,) int64: the entries of each term
    positions,  # (n,) int64: row × L + place
    values,  # (n,) float32
    states,  # (B · L, D)
    out,  # (V, D) float32
    D,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """out[v] = Σ over the entries of term v of value × states[position]."""
    term = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, last = tl.load(borders + term), tl.load(borders + term + 1)
    total = tl.zeros((BLOCK_D,), tl.float32)
    for start in range(first, last, BLOCK_N):
        n = start + tl.arange(0, BLOCK_N)
        inside = n < last
        position = tl.load(positions + n, mask=inside, other=0)
        value = tl.load(values + n, mask=inside, other=0.0)
        h = tl.load(states + position[:, None] * D + d[None, :], mask=inside[:, None] & (d < D)[None, :], other=0.0)
        total += tl.sum(h.to(tl.float32) * value[:, None], 0)
    tl.store(out + term * D + d, total, mask=d < D)


def state_gradient(
    rows: torch.Tensor,
    terms: torch.Tensor,
    places: torch.Tensor,
    values: torch.Tensor,
    states: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    """(B, L, d) float32 from the n entries of the gradient of the maxima: rows ascending."""
    count, length, width = states.shape
    out = torch.empty_like(states, dtype=torch.float32)
    wide = states.dtype != torch.float32
    block_l = min(128 if wide else 64, max(16, triton.next_power_of_2(length)))
    block_d = min(128 if wide else 64, max(16, triton.next_power_of_2(width)))
    grid = (count, triton.cdiv(length, block_l), triton.cdiv(width, block_d))
    _states_kernel[grid](
        _borders(rows, count),
        terms,
        places,
        values,
        weight,
        out,
        length,
        width,
        BLOCK_L=block_l,
        BLOCK_N=64 if wide else 32,
        BLOCK_D=block_d,
        PRECISION=_precision(),
    )
    return out


def weight_gradient(
    rows: torch.Tensor,
    terms: torch.Tensor,
    places: torch.Tensor,
    values: torch.Tensor,
    states: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    """(V, d) float32 from the same entries."""
    length, width = states.shape[1:]
    sorted_terms, order = terms.sort(stable=True)
    positions = (rows * length + places)[order]
    out = torch.empty_like(weight, dtype=torch.float32)
    block_d = min(256, max(16, triton.next_power_of_2(width)))
    _weight_kernel[(len(weight), triton.cdiv(width, block_d))](
        _borders(sorted_terms, len(weight)),
        positions,
        values[order],
        states,
        out,
        width,
        BLOCK_N=16,
        BLOCK_D=block_d,
    )
    return out


def _borders(groups: torch.Tensor, count: int) -> torch.Tensor:
    """(count + 1,) int64: where each group begins in ascending group numbers."""
    return torch.searchsorted(groups, torch.arange(count + 1, device=groups.device))
