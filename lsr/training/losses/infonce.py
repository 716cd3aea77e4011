"""InfoNCE: the positive against all other documents of the batch, hard negatives among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.losses.base import BatchScores, check_pool, check_positive, over

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class InfoNCE:
    """−log softmax of the positive's score over the pool, mean over queries (van den Oord et al. 2018).

    Parameters
    ----------
    temperature : float
        Scores are divided by it. 1 suits sparse dot products, which are not bounded as cosines are.
    pool : "batch" or "own"
        Negatives: all documents of the batch, or the query's own only.
    mask_false_negatives : bool
        Leave out documents that the teacher scores as high as the positive, or higher.

    A copy of the positive's text elsewhere in the batch is always left out.
    """

    temperature: float = 1.0
    pool: str = "batch"
    mask_false_negatives: bool = False

    def __post_init__(self) -> None:
        check_pool("infonce", self.pool)
        check_positive("infonce", "temperature", self.temperature)
        if not isinstance(self.mask_false_negatives, bool):
            raise InvalidSettingError(f"infonce: mask_false_negatives is {self.mask_false_negatives!r}, not true/false")

    def __call__(self, scores: BatchScores) -> torch.Tensor:
        import torch

        out = scores.same.clone()
        if self.mask_false_negatives:
            teacher = scores.taught("infonce with mask_false_negatives")
            out |= teacher >= teacher.gather(1, scores.own[:, :1])
        out.scatter_(1, scores.own[:, :1], False)
        masked = (scores.student / self.temperature).masked_fill(out, float("-inf"))
        # The positive is the first of a query's own candidates.
        target = scores.positives if self.pool == "batch" else torch.zeros_like(scores.positives)
        return torch.nn.functional.cross_entropy(over(self.pool, masked, scores.own), target)
