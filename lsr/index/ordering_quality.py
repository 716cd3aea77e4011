"""How good an order of documents is: the cost of its gaps, and how close the bounds of its blocks are.

Knows vectors and permutations of their rows, like ordering.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError
from lsr.index.ordering import compact
from lsr.vectors import SparseVectors


def log_gap_cost(vectors: SparseVectors, order: NDArray[np.int64]) -> float:
    """Mean of log2 over the gaps between neighbouring places of each term's documents, in bits a posting.

    Parameters
    ----------
    vectors : SparseVectors of n rows
    order : int64 ndarray of shape (n,), a permutation as `order_documents` gives it
    """
    from lsr.index.ordering_quality_kernels import sum_log_gaps

    terms, n_terms = compact(vectors.terms)
    bits = sum_log_gaps(vectors.indptr, terms, order, np.full(n_terms, -1, np.int64))
    return float(bits) / max(1, vectors.nnz)


@dataclass(frozen=True, slots=True)
class BlockMaxima:
    """What blocks of documents cost as bounds.

    total : float
        Σ over blocks and terms of the greatest weight; the lower, the closer the bounds.
    cells : int
        Pairs of a block and a term that occurs in it.
    """

    total: float
    cells: int


def block_maxima(vectors: SparseVectors, order: NDArray[np.int64], block: int) -> BlockMaxima:
    """The bounds of blocks of `block` documents in this order; parameters as in `log_gap_cost`."""
    from lsr.index.ordering_quality_kernels import sum_block_maxima

    if block < 1:
        raise InvalidSettingError(f"ordering: a block has {block} documents, it must have 1 or more")
    terms, n_terms = compact(vectors.terms)
    total, cells = sum_block_maxima(
        vectors.indptr,
        terms,
        vectors.weights,
        order,
        block,
        np.zeros(n_terms, np.float32),
        np.empty(n_terms, np.uint32),
    )
    return BlockMaxima(float(total), int(cells))
