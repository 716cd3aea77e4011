"""DF-FLOPS: FLOPS in which a term counts the more, the more documents it is in; over all, or over those of a domain."""

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


@dataclass(frozen=True, slots=True)
class GroupDfFlops(DfFlops):
    """The mean over groups g of Σ_j (a(df_gj) · (1/N_g) Σ_{i in g} w_ij)²: DF-FLOPS within each domain.

    What all texts of a domain share tells none of them from another, however rare it is elsewhere: "python" among
    Python functions. `DfFlops` does not see that in a batch of several domains. Frequencies are those of the batch's
    own groups, so that a group should have a hundred documents and more.

    Parameters
    ----------
    alpha, beta
        As those of `DfFlops`.
    """

    alpha: float = 0.25

    def __call__(self, batch: Batch) -> torch.Tensor:
        import torch

        member = torch.nn.functional.one_hot(batch.groups).to(batch.documents.dtype)  # (D, G)
        share = (member / member.sum(0).clamp(min=1)).T  # (G, D): a row takes a group's mean
        with torch.no_grad():
            activation = self.activation(share @ (batch.documents > 0).to(batch.documents.dtype))
        return (activation * (share @ batch.documents)).square().sum(1).mean()
