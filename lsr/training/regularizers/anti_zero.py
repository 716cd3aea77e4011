"""Anti-zero: a penalty that grows without bound as the batch's weights vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.training.regularizers.base import Batch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class AntiZero:
    """1 / (Σ w)² over the documents of the batch: negligible for a healthy model, a wall before the empty one."""

    def __call__(self, batch: Batch) -> torch.Tensor:
        return 1 / (batch.documents.sum().square() + 1e-8)
