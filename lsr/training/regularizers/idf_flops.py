"""IDF-aware FLOPS: the second spelling of IDF-aware training.

With idf in the matching function, s = Σ idf_t q_t d_t, and FLOPS on d, low-idf terms feel the same penalty as others
but smaller ranking gradients (Geng et al. 2024, arXiv 2411.04403, eq. 5 and 7). Written in d' = idf · d, what a plain
bag-of-words query meets, the same objective has no idf in the score and the penalty Σ_j (mean_i d'_ij / idf_j)². In a
recipe: `idf.matching = false` beside this regulariser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsr.errors import InvalidSettingError
from lsr.training.regularizers.base import Batch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class IdfFlops:
    """Σ_j ((1/N) Σ_i w_ij / max(idf_j, floor))².

    Parameters
    ----------
    floor : float
        Least idf that is divided by: special tokens have 0.
    """

    floor: float = 0.01

    def __post_init__(self) -> None:
        if not self.floor > 0:
            raise InvalidSettingError(f"idf_flops: floor is {self.floor}, it must be above 0")

    def __call__(self, batch: Batch) -> torch.Tensor:
        return (batch.documents.mean(0) / batch.idf.clamp(min=self.floor)).square().sum()
