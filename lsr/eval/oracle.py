"""The float oracle: an index's own weights before quantisation, searched exhaustively by SciPy.

What 8-bit impacts and integer query weights cost is the difference to this. Knows nothing of segments, bounds or
pruning, so it also checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import MissingExtraError
from lsr.vectors import SparseVectors

if TYPE_CHECKING:
    from lsr.engine.index import Index


class FloatSearcher:
    """Exhaustive search over float weights; answers as `Index.search_batch` does.

    Parameters
    ----------
    index : Index
        Gives vectors and query weights; it must stay open and unchanged.

    Raises
    ------
    MissingExtraError
        SciPy is not installed.

    Holds all weights of the index in memory, transposed: 12 bytes a posting.
    """

    def __init__(self, index: Index) -> None:
        ids: list[str] = []
        batches: list[SparseVectors] = []
        for names, vectors in index.vectors():
            ids += names
            batches.append(vectors)
        self._index = index
        self._ids = ids
        self._terms = np.zeros(0, np.uint32)
        if batches:
            joined = SparseVectors.concat(batches)
            self._terms = np.unique(joined.terms)
            self._matrix = _matrix(joined, self._terms).T.tocsr()

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int = 1) -> list[list[tuple[str, float]]]:
        """Ids and float64 scores of the k best documents a query: score descending, then order of insertion.

        Documents that share no term with the query are no hits. `threads` changes nothing: SciPy uses one.
        """
        if not self._ids:
            return [[] for _ in queries]
        weights = self._index.query_weights(queries)
        scores = _matrix(weights, self._terms) @ self._matrix
        return [
            self._best(scores.indices[start:stop], scores.data[start:stop], k)
            for start, stop in zip(scores.indptr[:-1], scores.indptr[1:], strict=True)
        ]

    def _best(self, places: NDArray[Any], scores: NDArray[np.float64], k: int) -> list[tuple[str, float]]:
        best = np.lexsort((places, -scores))[:k]
        return [(self._ids[place], float(score)) for place, score in zip(places[best], scores[best], strict=True)]


def _matrix(vectors: SparseVectors, terms: NDArray[np.uint32]) -> Any:
    """Float64 CSR of shape (rows, len(terms)), columns being places in the ascending `terms`; other terms left out."""
    try:
        import scipy.sparse
    except ModuleNotFoundError:
        raise MissingExtraError("scoring in floating point", "eval") from None
    columns = np.searchsorted(terms, vectors.terms)
    known = columns < len(terms)
    known[known] = terms[columns[known]] == vectors.terms[known]
    rows = np.repeat(np.arange(len(vectors)), np.diff(vectors.indptr))
    weights = vectors.weights.astype(np.float64)
    return scipy.sparse.csr_array((weights[known], (rows[known], columns[known])), shape=(len(vectors), len(terms)))
