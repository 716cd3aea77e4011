"""bm25s and splade-index: term-at-a-time over CSC arrays in numba, as their own retrieval functions do it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, columns


class _Taat(Peer):
    clock = time.process_time  # numba's parallel kernels may run in a helper thread
    clock_name = "process CPU"
    parallel = "batch"  # their thread pools do not survive a fork

    def build(self, collection: Collection, folder: Path) -> None:
        indptr, docs, impacts = columns(collection)
        small = np.int32 if indptr[-1] < 2**31 else np.int64
        np.save(folder / "indptr.npy", indptr.astype(small))
        np.save(folder / "indices.npy", docs)
        np.save(folder / "data.npy", impacts.astype(np.float32))

    def open(self, folder: Path, documents: int) -> None:
        arrays = {name: np.load(folder / f"{name}.npy") for name in ("indptr", "indices", "data")}
        self.scores = {**arrays, "num_docs": documents}
        self.retrieve = self._import()

    def _import(self) -> Any:
        raise NotImplementedError

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.asarray(result[0][0][result[1][0] > 0], np.int64)


class SpladeIndex(_Taat):
    distribution = "splade-index"
    note = "float32 impacts, int32 documents"

    def _import(self) -> Any:
        from splade_index.numba.retrieve_utils import _retrieve_numba_functional

        return _retrieve_numba_functional

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return [terms.astype(np.int32)], [weights.astype(np.float32)], min(k, self.scores["num_docs"])

    def search(self, query: Any) -> Any:
        terms, weights, k = query
        return self.retrieve(terms, weights, self.scores, k=k, n_threads=1, show_progress=False)

    def batch(self, queries: list[Any], threads: int) -> None:
        terms, weights = [query[0][0] for query in queries], [query[1][0] for query in queries]
        self.retrieve(terms, weights, self.scores, k=queries[0][2], n_threads=threads, show_progress=False)


class Bm25s(_Taat):
    distribution = "bm25s"
    note = "no query weights: a token is repeated as often as its weight"

    def _import(self) -> Any:
        from bm25s.numba.retrieve_utils import _retrieve_numba_functional

        return _retrieve_numba_functional

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return [np.repeat(terms, weights).astype(np.int32)], min(k, self.scores["num_docs"])

    def search(self, query: Any) -> Any:
        tokens, k = query
        return self.retrieve(tokens, self.scores, k=k, n_threads=1, show_progress=False)

    def batch(self, queries: list[Any], threads: int) -> None:
        tokens = [query[0][0] for query in queries]
        self.retrieve(tokens, self.scores, k=queries[0][1], n_threads=threads, show_progress=False)
