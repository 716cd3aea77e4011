"""The fused head gives what the naive head gives, and its gradients, without holding all logits."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.encoders.fused_head import ACTIVATIONS, fused_head
from lsr.errors import InvalidSettingError


def naive(
    states: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str
) -> torch.Tensor:
    """The activation of all logits (B, L, V), times the mask, then the maximum over positions."""
    logits = torch.nn.functional.linear(states, weight, bias)
    weights = torch.log1p(torch.relu(logits))
    if activation == "log1p_log1p_relu":
        weights = torch.log1p(weights)
    return (weights * mask[..., None]).amax(1)


def random_case(
    seed: int, rows: int, length: int, width: int, vocabulary: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """states, mask with holes and perhaps empty rows, weight, bias."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(rows, length, width, generator=generator)
    weight = torch.randn(vocabulary, width, generator=generator)
    bias = torch.randn(vocabulary, generator=generator)
    return states, torch.rand(rows, length, generator=generator) < 0.7, weight, bias


def gradients(
    head: object, tensors: tuple[torch.Tensor, ...], mask: torch.Tensor, **options: object
) -> list[torch.Tensor]:
    """What the head gives, then the gradients of a random linear functional of it."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    found = head(leaves[0], mask, *leaves[1:], **options)  # type: ignore[operator]
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(3)).to(found.dtype)
    torch.autograd.backward((found * direction).sum())
    return [found.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**31))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_equals_the_naive_head_forward_and_backward(
    activation: str, rows: int, length: int, vocabulary: int, tile: int, seed: int
) -> None:
    states, mask, weight, bias = random_case(seed, rows, length, 8, vocabulary)
    found = gradients(fused_head, (states, weight, bias), mask, activation=activation, tile=tile)
    expected = gradients(naive, (states.double(), weight.double(), bias.double()), mask.double(), activation=activation)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs.float(), rtol=2e-5, atol=2e-5)


def check_kernels() -> None:
    """Triton's kernels against the naive head, on the CPU in Triton's interpreter."""
    sizes = [(3, 5, 8, 40), (2, 70, 24, 150), (1, 130, 70, 33), (5, 140, 16, 70)]
    for activation, size, with_bias in itertools.product(ACTIVATIONS, sizes, (True, False)):
        states, mask, weight, bias = random_case(11, *size)
        for row, end in zip(range(len(mask) if size[0] == 5 else 0), (32, 33, 64, 0), strict=False):
            mask[row, end:] = 0  # rows of every class of lengths, and an empty one
        tensors = (states, weight, bias) if with_bias else (states, weight)

        def oracle(
            states: torch.Tensor,
            mask: torch.Tensor,
            weight: torch.Tensor,
            bias: torch.Tensor | None = None,
            *,
            activation: str,
        ) -> torch.Tensor:
            return naive(states, mask, weight, bias, activation)

        found = gradients(fused_head, tensors, mask, activation=activation, backend="triton")
        expected = gradients(oracle, tuple(t.double() for t in tensors), mask.double(), activation=activation)
        assert len(found) == len(expected) == 1 + len(tensors)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs.float(), rtol=1e-4, atol=1e-4)
        alone = fused_head(states, mask, weight, bias, activation=activation, backend="triton")
        torch.testing.assert_close(alone, fused_head(states, mask, weight, bias, activation=activation))


def test_the_kernels_equal_the_naive_head() -> None:
    """In a process of its own: the interpreter must be chosen before anything imports Triton."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_against_finite_differences(activation: str) -> None:
    """In steps small enough that no maximum moves."""
    states, mask, weight, bias = random_case(5, 2, 4, 6, 12)
    direction = torch.randn(2, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaves = [tensor.double().requires_grad_() for tensor in (states, weight, bias)]
    torch.autograd.backward((fused_head(leaves[0], mask, *leaves[1:], activation=activation) * direction).sum())
    for leaf in leaves:
        assert leaf.grad is not None
        flat, slopes = leaf.detach().view(-1), leaf.grad.view(-1)
        for place in range(0, len(flat), 5):
            ends = []
            for step in (1e-6, -1e-6):
                flat[place] += step
                with torch.no_grad():
                    parts = [part.detach() for part in leaves]
                    ends.append((naive(parts[0], mask.double(), parts[1], parts[2], activation) * direction).sum())
                flat[place] -= step
            assert float(slopes[place]) == pytest.approx(float(ends[0] - ends[1]) / 2e-6, abs=1e-4)


def test_autocast_computes_products_in_bf16_and_returns_the_parameters_dtypes() -> None:
    states, mask, weight, bias = random_case(2, 4, 12, 32, 200)
    expected = gradients(naive, (states, weight, bias), mask.float(), activation="log1p_relu")
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(fused_head, (states, weight, bias), mask)
    assert [tensor.dtype for tensor in found] == [torch.float32] * 4
    assert not torch.equal(found[0], expected[0])
    assert (found[0] - expected[0]).abs().max() < 0.05
    for ours, theirs in zip(found[1:], expected[1:], strict=True):  # where two positions nearly tie, another may win
        assert torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.95


def test_bf16_tensors_give_bf16_gradients() -> None:
    states, mask, weight, bias = (t.bfloat16() if t.is_floating_point() else t for t in random_case(2, 4, 12, 32, 200))
    found = gradients(fused_head, (states, weight, bias), mask)
    assert [tensor.dtype for tensor in found] == [torch.float32] + [torch.bfloat16] * 3


def test_a_row_without_real_positions_gives_zeros_and_no_gradient() -> None:
    states, _, weight, bias = random_case(2, 2, 3, 8, 20)
    mask = torch.tensor([[0, 0, 0], [0, 1, 0]])
    found, d_states, *_ = gradients(fused_head, (states, weight, bias), mask)
    assert not found[0].any()
    assert found[1].any()
    assert not d_states[0].any()
    assert not d_states[1, [0, 2]].any()
    assert d_states[1, 1].any()


def test_frozen_parameters_get_no_gradient() -> None:
    states, mask, weight, bias = random_case(2, 2, 3, 8, 20)
    states.requires_grad_()
    torch.autograd.backward(fused_head(states, mask, weight, bias).sum())
    assert states.grad is not None
    assert weight.grad is None
    with torch.inference_mode():
        assert not fused_head(states, mask, weight, bias).requires_grad


def test_batches_of_nothing() -> None:
    states, mask, weight, bias = random_case(2, 2, 3, 8, 20)
    assert fused_head(states[:0], mask[:0], weight, bias).shape == (0, 20)
    assert not fused_head(states[:, :0], mask[:, :0], weight, bias).any()


def test_memory_does_not_hold_all_logits() -> None:
    """What autograd keeps is the states, the decoder, the maximum and its position."""
    states, mask, weight, bias = random_case(2, 4, 64, 8, 3000)
    kept: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        fused_head(states.requires_grad_(), mask, weight.requires_grad_(), bias)
    assert sorted(kept) == sorted([states.numel(), weight.numel(), 4 * 3000, 4 * 3000])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"tile": 0}, "tile is 0"),
        ({"backend": "metal"}, "backend is 'metal'"),
        ({"backend": "triton"}, "the Triton head cannot run on cpu"),
        ({"mask": torch.ones(2, 4)}, "do not fit"),
        ({"bias": torch.ones(7)}, "does not fit 20 terms"),
    ],
)
def test_refusals(change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    states, mask, weight, bias = random_case(2, 2, 3, 8, 20)
    arguments: dict[str, object] = {"states": states, "mask": mask, "weight": weight, "bias": bias} | change
    with pytest.raises(InvalidSettingError, match=message):
        fused_head(**arguments)  # type: ignore[arg-type]


if __name__ == "__main__":
    check_kernels()
