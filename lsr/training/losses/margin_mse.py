"""MarginMSE: the student's margins between candidates are to be the teacher's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.losses.base import BatchScores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class MarginMSE:
    """Mean of ((s⁺ − s⁻) − (t⁺ − t⁻))² over each query's own negatives (Hofstätter et al. 2020).

    Parameters
    ----------
    pairs : "positive" or "all"
        Margins of the positive against each negative, or of every two of the query's candidates.

    Margins that the teacher did not score (NaN) are left out; a batch without any gives 0.
    """

    pairs: str = "positive"

    def __post_init__(self) -> None:
        if self.pairs not in ("positive", "all"):
            raise InvalidSettingError(f"margin_mse: pairs is {self.pairs!r}, it must be positive or all")

    def __call__(self, scores: BatchScores) -> torch.Tensor:
        student = scores.student.gather(1, scores.own)
        teacher = scores.taught("margin_mse").gather(1, scores.own)
        if self.pairs == "positive":
            error = (student[:, :1] - student[:, 1:]) - (teacher[:, :1] - teacher[:, 1:])
        else:
            error = (student[:, :, None] - student[:, None]) - (teacher[:, :, None] - teacher[:, None])
        known = error[~error.isnan()]
        return known.square().mean() if known.numel() else student.sum() * 0
