"""What a regulariser sees: the term weights of a batch's documents.

Knows tensors. Knows nothing of ranking, of λ or of when it is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Batch:
    """Term weights of one batch.

    Parameters
    ----------
    documents : float tensor of shape (D, V)
        At least 0.
    queries : float tensor of shape (Q, U)
        Weights of the queries over the terms that occur in them; U may be smaller than V.
    lengths : int64 tensor of shape (D,)
        Tokens of each document.
    idf : float tensor of shape (V,)
        Weight of each term in a query; all ones without idf.
    document_frequency : float tensor of shape (V,)
        Share of recent documents whose weight for the term is above 0, 0 to 1.
    groups : int64 tensor of shape (D,)
        Number, from 0, of the group of each document: those of a group are of one domain.
    """

    documents: torch.Tensor
    queries: torch.Tensor
    lengths: torch.Tensor
    idf: torch.Tensor
    document_frequency: torch.Tensor
    groups: torch.Tensor


class Regularizer(Protocol):
    """A penalty on the batch's weights, to be multiplied by λ and added to the ranking loss."""

    def __call__(self, batch: Batch) -> torch.Tensor: ...
