"""Pairwise logistic loss: the positive above each of the query's negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.training.losses.base import BatchScores, check_pool

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Mean of log(1 + exp(s⁻ − s⁺)) over pairs of a positive and a negative (RankNet, Burges et al. 2005).

    Parameters
    ----------
    pool : "own" or "batch"
        Negatives: the query's own, or all other documents of the batch but copies of the positive.
    """

    pool: str = "own"

    def __post_init__(self) -> None:
        check_pool("pairwise", self.pool)

    def __call__(self, scores: BatchScores) -> torch.Tensor:
        import torch

        positive = scores.student.gather(1, scores.own[:, :1])
        if self.pool == "own":
            margins = (scores.student.gather(1, scores.own) - positive)[:, 1:]
            margins = margins[~scores.same.gather(1, scores.own)[:, 1:]]
        else:
            margins = (scores.student - positive)[~scores.same]
        return torch.nn.functional.softplus(margins).mean() if margins.numel() else positive.sum() * 0
