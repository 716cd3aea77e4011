"""The head in tiles gives what the naive head gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_checkpoints import VOCABULARY, small_model
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.encoders.head import SplitModel, pooled_weights
from lsr.errors import EncoderError


def naive(logits: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """log1p(relu) of all logits (B, L, V), times the mask, then the maximum or sum over positions."""
    weights = torch.log1p(torch.relu(logits)) * mask[..., None]
    return weights.amax(1) if pooling == "max" else weights.sum(1)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**31), st.data())
@pytest.mark.parametrize("pooling", ["max", "sum"])
def test_tiles_equal_the_naive_head(
    pooling: str, rows: int, length: int, vocabulary: int, tile: int, seed: int, data: st.DataObject
) -> None:
    generator = torch.Generator().manual_seed(seed)
    states, weight = (torch.randn(*shape, generator=generator) for shape in ((rows, length, 8), (vocabulary, 8)))
    bias = torch.randn(vocabulary, generator=generator)
    bits = data.draw(st.lists(st.booleans(), min_size=rows * length, max_size=rows * length))
    mask = torch.tensor(bits).reshape(rows, length).long()
    found = pooled_weights(states, mask, weight, bias, pooling=pooling, tile=tile)
    torch.testing.assert_close(found, naive(states @ weight.T + bias, mask, pooling), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "sum"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_split_models_equal_the_whole(kind: str, tied: bool, pooling: str) -> None:
    model = small_model(kind, tied=tied)
    ids = torch.randint(5, len(VOCABULARY), (3, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 1:] = 0
    ids[mask == 0] = 0
    with torch.inference_mode():
        expected = naive(model(input_ids=ids, attention_mask=mask).logits, mask, pooling)
        split = SplitModel(model)
        found = pooled_weights(split.states(ids, mask), mask, split.weight, split.bias, pooling=pooling, tile=7)
    assert expected.count_nonzero() > 10
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)


def test_a_model_without_a_head() -> None:
    with pytest.raises(EncoderError, match="BertModel has no masked-language-model head"):
        SplitModel(small_model("bert").bert)
