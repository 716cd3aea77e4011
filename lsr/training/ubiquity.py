"""Terms that are in too many texts of a group, and how far their biases must come down.

Knows term weights log1p(relu(logit)) and the pruning of documents. Knows no model and no files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.training.lowering import lowered_weights
from lsr.vectors import SparseVectors

#: By how much more than needed a bias is lowered: float32 sums in another order must put no term back.
_HAIR = 1e-3


def shares(vectors: SparseVectors) -> NDArray[np.float64]:
    """(dim,): of each term, the share of rows that have it."""
    return np.bincount(vectors.terms, minlength=vectors.dim) / max(len(vectors), 1)


def lowered(vectors: SparseVectors, amounts: NDArray[np.float64]) -> SparseVectors:
    """The weights that logits lower by `amounts`, (dim,) and at least 0, have; untouched where that is 0.

    A term's bias adds to all of its logits, so that it comes down with their maximum.
    """
    down = amounts[vectors.terms]
    moved = lowered_weights(vectors.weights.astype(np.float64), down, np).astype(np.float32)
    weights = np.where(down > 0, moved, vectors.weights)
    left = vectors.filter(weights > 0)
    return SparseVectors(left.indptr, left.terms, weights[weights > 0], left.dim)


def pruned(vectors: SparseVectors, prune: float, importance: NDArray[np.float32] | None) -> SparseVectors:
    """As `MaskedLmEncoder.encode_documents` prunes."""
    return vectors.prune(max_ratio=prune, importance=importance) if prune else vectors


def least_lowering(
    groups: Sequence[SparseVectors], share: float, *, prune: float = 0.0, importance: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """How far each bias must come down, so that no term is in more than a share of the rows of any group.

    Parameters
    ----------
    groups : sequence of SparseVectors
        Weights log1p(relu(logit)), not pruned.
    share : float in (0, 1]
    prune : float in [0, 1]
        Rows are pruned by this when they are used: a term counts where it is kept.
    importance : float32 ndarray of shape (dim,), optional
        The idf by which they are pruned.

    Returns
    -------
    float64 ndarray of shape (dim,)
        At least 0, and 0 for a term that is within the share when all others have come down.

    Notes
    -----
    Where a row's greatest product comes down, the row keeps lighter terms that it lost before. So what is needed is
    found anew until nothing is above the share; as amounts only grow, they end as small as they can be, but for a hair.
    """
    amounts = np.zeros(groups[0].dim)
    while True:
        needed = amounts.copy()
        for vectors in groups:
            allowed = _allowed(share, len(vectors))
            kept = pruned(lowered(vectors, amounts), prune, importance)
            over = np.bincount(kept.terms, minlength=kept.dim) > allowed
            if over.any():
                found = _needed(vectors, amounts, over, allowed, prune, importance)
                needed[over] = np.maximum(needed[over], np.maximum(found[over], amounts[over]) + _HAIR)
        if (needed == amounts).all():
            return amounts
        amounts = needed


def _allowed(share: float, rows: int) -> int:
    """Rows that a term may be in; .07 of 100 are 7, though the product of the floats is a little more or less."""
    return int(np.floor(share * rows + 1e-9))


def _needed(
    vectors: SparseVectors,
    amounts: NDArray[np.float64],
    over: NDArray[np.bool_],
    allowed: int,
    prune: float,
    importance: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """(dim,): of the terms that are `over`, the lowering at which only `allowed` rows still have it."""
    places = np.flatnonzero(over[vectors.terms])
    terms = vectors.terms[places]
    least = np.zeros(len(places))
    if prune:
        ones = np.ones(len(places))
        factor = ones if importance is None else importance[terms].astype(np.float64)
        others = _others_peak(vectors, amounts, importance)[places]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            least = np.expm1(np.nan_to_num(prune * others / factor, nan=0.0, posinf=np.inf))
    room = np.expm1(vectors.weights[places].astype(np.float64)) - least
    order = np.lexsort((-room, terms))
    starts = np.searchsorted(terms[order], np.flatnonzero(over))
    found = np.zeros(vectors.dim)
    found[over] = room[order[starts + allowed]]
    return found


def _others_peak(
    vectors: SparseVectors, amounts: NDArray[np.float64], importance: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """(nnz,): the greatest weight × importance among the *other* terms of each one's row.

    A term that is a row's greatest is kept however low it is, until another one is greater: comparing it with itself
    would say that it goes at once.
    """
    products = lowered_weights(vectors.weights.astype(np.float64), amounts[vectors.terms], np)
    if importance is not None:
        products *= importance[vectors.terms]
    filled = np.flatnonzero(vectors.lengths)
    starts, lengths = vectors.indptr[filled], vectors.lengths[filled]
    order = np.lexsort((-products, vectors.row_numbers))
    greatest = order[starts]
    without = products.copy()
    without[greatest] = 0
    peaks = np.repeat(np.maximum.reduceat(products, starts), lengths)
    peaks[greatest] = np.maximum.reduceat(without, starts)
    return peaks
