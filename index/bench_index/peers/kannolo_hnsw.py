"""kANNolo (wheel `kannolo`): a graph (HNSW) over sparse vectors, approximate.

m = 16 and efConstruction = 60: with its defaults a build of 100,000 documents did not end in 500 s on two cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, Setting


class Kannolo(Peer):
    distribution = "kannolo"
    exact = False
    note = "SparsePlainHNSW, m 16, efConstruction 60"

    def build(self, collection: Collection, folder: Path) -> None:
        import kannolo

        index = kannolo.SparsePlainHNSW.build_from_arrays(
            collection.terms.astype(np.int32),
            collection.impacts.astype(np.float32),
            collection.indptr[:],
            m=16,
            ef_construction=60,
        )
        index.save(str(folder / "graph"))

    def open(self, folder: Path, documents: int) -> None:
        import kannolo

        self.index = kannolo.SparsePlainHNSW.load(str(folder / "graph"))

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        return [(f"ef {ef}", {"ef": ef}) for ef in (80, 320, 1280) if ef >= k]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return terms.astype(np.int32), weights.astype(np.float32), k, setting["ef"]

    def search(self, query: Any) -> Any:
        return self.index.search(*query)

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.asarray(result[1], np.int64)
