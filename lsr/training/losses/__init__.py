"""Ranking losses by name. A recipe mixes them: `[losses.kl]` with a `weight` and the loss's own settings."""

from __future__ import annotations

from lsr.training.losses.base import BatchScores, Loss
from lsr.training.losses.infonce import InfoNCE
from lsr.training.losses.kl import KLDivergence
from lsr.training.losses.margin_mse import MarginMSE
from lsr.training.losses.pairwise import Pairwise

LOSSES: dict[str, type[InfoNCE] | type[KLDivergence] | type[MarginMSE] | type[Pairwise]] = {
    "infonce": InfoNCE,
    "kl": KLDivergence,
    "margin_mse": MarginMSE,
    "pairwise": Pairwise,
}

__all__ = ["LOSSES", "BatchScores", "InfoNCE", "KLDivergence", "Loss", "MarginMSE", "Pairwise"]
