"""Terms and weights as a file has them to `SparseVectors`: checked, sorted, without zeros.

Knows nothing of formats; whoever reads one says where a row stands in it and how a term is called.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lsr.errors import LsrError
from lsr.vectors import SparseVectors


class Origin(Protocol):
    """Where rows come from."""

    def error(self, row: int, reason: str) -> LsrError:
        """The error for a row of the batch; `reason` is a phrase."""
        ...

    def term(self, place: int) -> str:
        """How the file calls the term at this place of the batch's arrays."""
        ...


def assemble(
    indptr: NDArray[np.int64], terms: NDArray[np.int64], weights: NDArray[Any], dim: int, origin: Origin
) -> SparseVectors:
    """A batch of sound vectors.

    Parameters
    ----------
    indptr : int64 ndarray of shape (rows + 1,)
        From 0 to nnz, not decreasing.
    terms : int64 ndarray of shape (nnz,)
        In any order within a row; -1 for what is to be left out.
    weights : ndarray of shape (nnz,)
        Of any real dtype. Zeros, and what float32 rounds to zero, are left out.
    dim : int
    origin : Origin
        Makes the error where a weight is negative, not finite or beyond float32, a term is outside 0 and `dim` − 1, or
        comes twice in a row.
    """

    def fail(place: int, reason: str) -> LsrError:
        return origin.error(int(np.searchsorted(indptr, place, side="right")) - 1, f"{origin.term(place)} {reason}")

    if not len(terms):
        return SparseVectors.empty(len(indptr) - 1, dim)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = weights.astype(np.float32)
        bad = ~(np.isfinite(narrow) & (weights >= 0))
    if bad.any():
        place = int(np.argmax(bad))
        weight = weights[place].item()
        rule = "more than 32-bit floats hold" if 0 < weight < np.inf else "weights must be finite and not negative"
        raise fail(place, f"has weight {weight}: {rule}")
    if (outside := terms >= dim).any():
        place = int(np.argmax(outside))
        raise fail(place, f"is outside 0..{dim - 1}")
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    places = np.flatnonzero((terms >= 0) & (narrow > 0))
    rows, kept = rows[places], terms[places]
    ascending = (rows[1:] > rows[:-1]) | (kept[1:] > kept[:-1])
    if not ascending.all():
        order = np.lexsort((kept, rows))
        rows, kept, places = rows[order], kept[order], places[order]
        twice = (rows[1:] == rows[:-1]) & (kept[1:] == kept[:-1])
        if twice.any():
            raise fail(int(places[int(np.argmax(twice)) + 1]), "comes twice")
    borders = np.zeros(len(indptr), np.int64)
    np.cumsum(np.bincount(rows, minlength=len(indptr) - 1), out=borders[1:])
    return SparseVectors(borders, kept.astype(np.uint32), narrow[places], dim)
