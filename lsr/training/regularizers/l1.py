"""L1: the mean sum of weights, of documents or of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.regularizers.base import Batch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class L1:
    """(1/N) Σ_i Σ_j w_ij.

    Parameters
    ----------
    of : "documents" or "queries"
        Efficient SPLADE penalises its queries so (arXiv 2207.03834).
    """

    of: str = "documents"

    def __post_init__(self) -> None:
        if self.of not in ("documents", "queries"):
            raise InvalidSettingError(f"l1: of is {self.of!r}, it must be documents or queries")

    def __call__(self, batch: Batch) -> torch.Tensor:
        weights = batch.documents if self.of == "documents" else batch.queries
        return weights.abs().sum(1).mean()
