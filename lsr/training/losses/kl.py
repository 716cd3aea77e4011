"""KL divergence from the teacher's distribution over the candidate pool to the student's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.training.losses.base import BatchScores, check_pool, check_positive, over

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class KLDivergence:
    """Σ p log(p / q) with p = softmax(teacher / τ_t), q = softmax(student / τ_s), times τ_s², mean over queries.

    Parameters
    ----------
    temperature : float
        τ_s of the student.
    teacher_temperature : float
        τ_t of the teacher. The ensemble's scale S is 1 / τ_t: leave this at 1 then.
    pool : "batch" or "own"
        Over all documents of the batch (arXiv 2411.04403), or the query's own candidates.

    Columns that the teacher did not score (NaN) have no part in either distribution; a query without any gives 0.
    """

    temperature: float = 1.0
    teacher_temperature: float = 1.0
    pool: str = "batch"

    def __post_init__(self) -> None:
        check_pool("kl", self.pool)
        check_positive("kl", "temperature", self.temperature)
        check_positive("kl", "teacher_temperature", self.teacher_temperature)

    def __call__(self, scores: BatchScores) -> torch.Tensor:
        teacher = over(self.pool, scores.taught("kl"), scores.own) / self.teacher_temperature
        student = over(self.pool, scores.student, scores.own) / self.temperature
        unknown = teacher.isnan()
        silent = unknown.all(1, keepdim=True)  # no distribution: any will do, as it is left out below
        aim = teacher.masked_fill(unknown, float("-inf")).masked_fill(silent, 0).log_softmax(1)
        found = student.masked_fill(unknown, float("-inf")).masked_fill(silent, 0).log_softmax(1)
        # Where the teacher's probability is 0, the term is 0: both logarithms are -inf there.
        terms = aim.exp() * (aim.masked_fill(unknown, 0) - found.masked_fill(unknown, 0))
        return terms.sum(1).mean() * self.temperature**2
