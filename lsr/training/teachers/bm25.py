"""BM25 over the student's own tokens as a teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.idf import inverse_document_frequency
from lsr.training.data.prepared import PreparedData
from lsr.training.teachers.base import Cache, Say, Teacher
from lsr.vectors import SparseVectors

#: Documents whose weights are computed at a time.
_STEP = 20_000


class BM25Teacher(Teacher):
    """Σ idf_t · tf (k1 + 1) / (tf + k1 (1 − b + b |d| / avg|d|)) over the query's distinct tokens.

    Parameters
    ----------
    data : PreparedData
        A document is what the student reads of it.
    name : str
    k1, b : float
    """

    def __init__(self, data: PreparedData, name: str, *, k1: float, b: float) -> None:
        self.name = name
        self._data, self._k1, self._b = data, k1, b
        self._cache = Cache(data, name, {"kind": "bm25", "k1": k1, "b": b})
        self.key = self._cache.folder.name
        self._matrix: Any = None

    def prepare(self, say: Say) -> None:
        if "indptr" in self._cache:
            return
        say(f"teacher {self.name}: weighting {len(self._data.documents):,} documents")
        indptr, terms, weights = bm25_weights(self._data, self._k1, self._b)
        idf = inverse_document_frequency(self._data.document_frequencies(), len(self._data.documents))
        idf[list(self._data.manifest.special_ids)] = 0
        for name, array in (("terms", terms), ("weights", weights), ("idf", idf), ("indptr", indptr)):
            self._cache.save(name, array)

    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        import scipy.sparse

        if self._matrix is None:
            parts = tuple(self._cache.load(name) for name in ("weights", "terms", "indptr"))
            shape = (len(parts[2]) - 1, self._data.manifest.vocabulary)
            self._matrix = scipy.sparse.csr_array(parts, shape=shape)
            self._idf = np.array(self._cache.load("idf"))
        rows = [np.unique(np.asarray(self._data.queries[int(query)], np.int64)) for query in queries]
        columns = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        asked = scipy.sparse.csr_array(
            (self._idf[columns], columns, offsets), shape=(len(rows), self._data.manifest.vocabulary)
        )
        found: NDArray[np.float32] = (asked @ self._matrix[documents].T).toarray()
        return found.astype(np.float32)

    def vectors(self) -> SparseVectors:
        """The documents' weights, without idf, of tokens that are not special: for an index of them."""
        indptr, terms, weights = (np.array(self._cache.load(name)) for name in ("indptr", "terms", "weights"))
        return SparseVectors(indptr, terms.astype(np.uint32), weights, self._data.manifest.vocabulary)


def bm25_weights(
    data: PreparedData, k1: float, b: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """indptr int64 (n + 1,), terms int32, weights float32: tf parts of the documents' tokens, terms ascending."""
    vocabulary = data.manifest.vocabulary
    lengths = data.documents.lengths
    average = max(float(lengths.mean()), 1.0)
    counts, all_terms, all_weights = [np.zeros(1, np.int64)], [], []
    for start in range(0, len(lengths), _STEP):
        stop = min(start + _STEP, len(lengths))
        offsets = data.documents.offsets[start : stop + 1]
        rows = np.repeat(np.arange(stop - start, dtype=np.int64), np.diff(offsets))
        tokens = np.asarray(data.documents.values[offsets[0] : offsets[-1]], np.int64)
        keys, tf = np.unique(rows * vocabulary + tokens, return_counts=True)
        row = keys // vocabulary
        norm = k1 * (1 - b + b * lengths[start:stop][row] / average)
        all_terms.append((keys % vocabulary).astype(np.int32))
        all_weights.append((tf * (k1 + 1) / (tf + norm)).astype(np.float32))
        counts.append(np.bincount(row, minlength=stop - start))
    return np.cumsum(np.concatenate(counts)), np.concatenate(all_terms), np.concatenate(all_weights)
