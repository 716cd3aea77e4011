"""What a ranking loss sees: scores of a batch's queries over its candidate pool, and which of them are whose.

Knows tensors and their meaning. Knows nothing of encoders, teachers' origin or regularisers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lsr.errors import InvalidSettingError, TrainingError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class BatchScores:
    """Scores of one batch of Q queries over a pool of D documents.

    Parameters
    ----------
    student : float tensor of shape (Q, D)
        Raw dot products of sparse vectors; no temperature.
    own : int64 tensor of shape (Q, C)
        Columns of each query's own candidates: its positive first, then its negatives.
    same : bool tensor of shape (Q, D)
        True where a column is the query's positive text again (also in its own column): never a negative.
    teacher : float tensor of shape (Q, D), optional
        The teachers' scores, normalised and scaled; NaN where a teacher did not score (precomputed scores).
    """

    student: torch.Tensor
    own: torch.Tensor
    same: torch.Tensor
    teacher: torch.Tensor | None = None

    @property
    def positives(self) -> torch.Tensor:
        """int64 tensor of shape (Q,): the column of each query's positive."""
        return self.own[:, 0]

    def taught(self, loss: str) -> torch.Tensor:
        """The teacher's scores; TrainingError where there are none."""
        if self.teacher is None:
            raise TrainingError(f"the loss {loss} needs a teacher", remedy="Add a [[teachers]] table to the recipe")
        return self.teacher


class Loss(Protocol):
    """A ranking loss: a mean over the batch's queries, differentiable in `scores.student`."""

    def __call__(self, scores: BatchScores) -> torch.Tensor: ...


def over(pool: str, scores: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """The columns that a loss is taken over: `batch`, all (Q, D); `own`, each query's candidates (Q, C)."""
    return scores if pool == "batch" else scores.gather(1, own)


def check_pool(loss: str, pool: str) -> None:
    """Refuse a pool that is neither `batch` nor `own`."""
    if pool not in ("batch", "own"):
        raise InvalidSettingError(f"{loss}: pool is {pool!r}, it must be batch or own")


def check_positive(loss: str, name: str, value: float) -> None:
    """Refuse a setting that must be above 0."""
    if not value > 0:
        raise InvalidSettingError(f"{loss}: {name} is {value}, it must be above 0")
