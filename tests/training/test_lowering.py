"""Lower logits: one formula for arrays and for tensors."""

from __future__ import annotations

import numpy as np
import torch

from lsr.training.lowering import lowered_weights


def test_weights_are_those_of_lower_logits() -> None:
    logits = np.random.default_rng(0).normal(1, 2, (20, 30))
    amounts = np.random.default_rng(1).uniform(0, 3, 30)
    weights = np.log1p(np.maximum(logits, 0))
    expected = np.log1p(np.maximum(logits - amounts, 0))
    assert np.allclose(lowered_weights(weights, amounts, np), expected, atol=1e-12)
    found = lowered_weights(torch.from_numpy(weights), torch.from_numpy(amounts), torch)
    assert np.allclose(found.numpy(), expected, atol=1e-12)
    assert (lowered_weights(weights, 0.0, np)[weights == 0] == 0).all()
