"""DF-FLOPS: FLOPS in which a term counts the more, the more documents it is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.regularizers.base import Batch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class DfFlops:
    """Σ_j (a(df_j) · (1/N) Σ_i w_ij)² with a(df) = 1 / (1 + (df^(log_α 2) − 1)^β): the idea of arXiv 2505.15070.

    Parameters
    ----------
    alpha : float in (0, 1)
        The share of documents at which a = ½.
    beta : float > 0
        Steepness: the larger, the more a is a step.

    Frequencies are those of recent batches (`Batch.document_frequency`) and carry no gradient.
    """

    alpha: float = 0.1
    beta: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not self.beta > 0:
            raise InvalidSettingError("df_flops: alpha must be within 0 and 1, beta above 0")

    def __call__(self, batch: Batch) -> torch.Tensor:
        return (self.activation(batch.document_frequency) * batch.documents.mean(0)).square().sum()

    def activation(self, df: torch.Tensor) -> torch.Tensor:
        """a(df): 0 at 0, ½ at alpha, 1 at 1."""
        import math

        share = df.clamp(1e-6, 1).pow(-math.log(2) / -math.log(self.alpha)) - 1  # df^(log_alpha 2) - 1 >= 0
        activated: torch.Tensor = 1 / (1 + share.clamp(min=0).pow(self.beta))
        return activated
