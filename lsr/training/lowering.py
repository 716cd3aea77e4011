"""What weights become when the logits behind them come down. Light to import: no torch."""

from __future__ import annotations

from typing import Any


def lowered_weights(weights: Any, amount: Any, xp: Any) -> Any:
    """log1p(relu(expm1(w) − a)), the weights log1p(relu(logit)) of logits that are lower by `amount`.

    Parameters
    ----------
    weights, amount : float64 arrays, or tensors, of shapes that fit
    xp : numpy or torch
        Whose they are.
    """
    return xp.log1p(xp.clip(xp.expm1(weights) - amount, 0, None))
