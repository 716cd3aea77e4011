"""This project's own index. The one file to change when its interface changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..collection import VOCABULARY, Array, Collection
from .base import Peer, Setting


class Lsr(Peer):
    distribution = "lsr-engine"
    parallel = "threads"
    note: ClassVar[str] = "one segment, memory-mapped"

    def build(self, collection: Collection, folder: Path) -> None:
        from lsr.index.build import write_segment
        from lsr.vectors import SparseVectors

        vectors = SparseVectors(
            collection.indptr[:],
            collection.terms.astype(np.uint32),
            collection.impacts.astype(np.float32),
            VOCABULARY,
        )
        write_segment(folder / "all.seg", vectors, np.arange(len(vectors)), 255.0)

    def open(self, folder: Path, documents: int) -> None:
        from lsr.index.search import search_segments
        from lsr.index.segment import Segment

        self.segments = [Segment(folder / "all.seg", verify=False)]
        self.search_segments = search_segments

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        return [("scan", {})]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return terms, weights, k

    def search(self, query: Any) -> Any:
        return self.search_segments(self.segments, [None], *query)

    def ids(self, result: Any) -> NDArray[np.int64]:
        ordinals: NDArray[np.int64] = result.ordinals
        return ordinals

    def work(self, result: Any) -> dict[str, int]:
        return {name: int(getattr(result.work, name)) for name in result.work.__slots__}
