"""SciPy: the sparse row of a query times the matrix of terms × documents, then argpartition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import VOCABULARY, Array, Collection
from .base import Peer, columns


class Scipy(Peer):
    distribution = "scipy"
    note = "csr query @ csr (terms × documents), argpartition"

    def build(self, collection: Collection, folder: Path) -> None:
        indptr, docs, impacts = columns(collection)
        for name, array in (("indptr", indptr), ("indices", docs), ("data", impacts.astype(np.float32))):
            np.save(folder / f"{name}.npy", array)

    def open(self, folder: Path, documents: int) -> None:
        import scipy.sparse

        indptr, indices, data = (np.load(folder / f"{name}.npy") for name in ("indptr", "indices", "data"))
        self.sparse = scipy.sparse
        self.matrix = scipy.sparse.csr_array((data, indices, indptr), shape=(VOCABULARY, documents))

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        borders = np.array([0, len(terms)], self.matrix.indptr.dtype)
        row = self.sparse.csr_array(
            (weights.astype(np.float32), terms.astype(self.matrix.indices.dtype), borders), shape=(1, VOCABULARY)
        )
        return row, min(k, self.matrix.shape[1])

    def search(self, query: Any) -> Any:
        row, k = query
        scores = (row @ self.matrix).toarray()[0]
        best = np.argpartition(scores, -k)[-k:]
        best = best[np.argsort(-scores[best])]
        return best, scores[best]

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.asarray(result[0][result[1] > 0], np.int64)
