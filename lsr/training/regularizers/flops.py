"""FLOPS: the square of each term's mean weight, an upper estimate of the cost of a posting list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.regularizers.base import Batch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Flops:
    """Σ_j ((1/N) Σ_i w_ij)² over the batch's N documents (Paria et al. 2020, arXiv 2004.05665).

    Parameters
    ----------
    threshold : int
        ℓ0-mask (arXiv 2504.14839): documents of at most this many terms are left alone; N still counts them. 0 is
        plain FLOPS.
    threshold_per_token : float
        Added to the threshold for each token of the document, so that short texts are not exempt altogether.
    """

    threshold: int = 0
    threshold_per_token: float = 0.0

    def __post_init__(self) -> None:
        if self.threshold < 0 or self.threshold_per_token < 0:
            raise InvalidSettingError("flops: threshold and threshold_per_token must be 0 or more")

    def __call__(self, batch: Batch) -> torch.Tensor:
        weights = batch.documents
        if self.threshold or self.threshold_per_token:
            limits = self.threshold + self.threshold_per_token * batch.lengths
            penalised = (weights > 0).sum(1) > limits
            mean = penalised.to(weights.dtype) @ weights / len(weights)
        else:
            mean = weights.mean(0)
        return mean.square().sum()
