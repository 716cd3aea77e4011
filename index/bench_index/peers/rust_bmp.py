"""The Rust BMP (wheel `bmp`), block-max pruning: 32 documents a block, compressed bounds, its pyterrier defaults.

The wheel is compiled for baseline x86-64 and holds the GIL. Its "rank-safe" mode is not: sums wrap at 16 bits, hits
equal to the threshold's estimate are lost, and a query without a known term panics (index/README.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, Setting, rows_as_dicts


class RustBmp(Peer):
    distribution = "bmp"
    note = "block size 32, compressed bounds"

    def build(self, collection: Collection, folder: Path) -> None:
        import bmp

        indexer = bmp.Indexer(str(folder / "index.bmp"), bsize=32, compress_range=True)
        for number, row in enumerate(rows_as_dicts(collection)):
            indexer.add_document(str(number), row)
        indexer.finish()

    def open(self, folder: Path, documents: int) -> None:
        import bmp

        self.searcher = bmp.Searcher(str(folder / "index.bmp"))

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        exact: list[Setting] = [("exact", {"alpha": 1.0})]
        return exact + [(f"alpha {a}", {"alpha": a}) for a in (0.9, 0.8, 0.7)] if full and k == 10 else exact

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        query = {str(t): int(w) for t, w in zip(terms.tolist(), weights.tolist(), strict=True)}
        return query, k, setting["alpha"]

    def search(self, query: Any) -> Any:
        row, k, alpha = query
        return self.searcher.search(row, k=k, alpha=alpha, beta=1.0)

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.array([int(name) for name in result[0]], np.int64)
