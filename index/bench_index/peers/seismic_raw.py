"""Seismic (wheel `pyseismic-lsr`): inverted lists in clusters with summaries, approximate.

`SeismicIndexRaw`, f16 forward index, no kNN graph. Built as its README's best configurations for 8.8 M passages
(summary energy .5, centroid fraction .2, max fraction 3); from 200,000 documents on with its defaults .4 and .1, since
a build takes minutes already. Postings a list are scaled to the collection (N / 1000, 400 to 4000). Query cut and heap
factor by a grid, of which the tables show the fastest that reaches a recall.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, Setting

GRID = {
    "splade": [
        (4, 0.9),
        (6, 0.9),
        (8, 0.8),
        (10, 0.8),
        (10, 0.7),
        (14, 0.7),
        (14, 0.5),
        (20, 0.6),
        (20, 0.4),
        (30, 0.4),
        (30, 0.2),
        (50, 0.1),
    ],
    "free": [
        (2, 0.9),
        (3, 0.9),
        (4, 0.9),
        (4, 0.8),
        (5, 0.8),
        (6, 0.7),
        (8, 0.7),
        (8, 0.5),
        (10, 0.4),
        (12, 0.2),
        (24, 0.1),
    ],
}


class Seismic(Peer):
    distribution = "pyseismic-lsr"
    exact = False

    def build(self, collection: Collection, folder: Path) -> None:
        import seismic

        data = folder / "documents.bin"
        write_inner_format(collection, data)
        self.parameters: dict[str, Any] = {
            "n_postings": int(min(4000, max(400, len(collection) // 1000))),
            "centroid_fraction": 0.2 if len(collection) <= 200_000 else 0.1,
            "summary_energy": 0.5 if len(collection) <= 200_000 else 0.4,
            "max_fraction": 3.0,
            "min_cluster_size": 2,
        }
        index = seismic.SeismicIndexRaw.build(str(data), **self.parameters)
        index.save(str(folder / "all.index.seismic"))
        data.unlink()

    def info(self) -> dict[str, Any]:
        return getattr(self, "parameters", {})

    def open(self, folder: Path, documents: int) -> None:
        import seismic

        self.index = seismic.SeismicIndexRaw.load(str(folder / "all.index.seismic"))

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        return [(f"cut {cut} hf {hf}", {"cut": cut, "factor": hf}) for cut, hf in GRID[kind]]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return terms.astype(np.int32), weights.astype(np.float32), k, setting["cut"], setting["factor"], 0, True

    def search(self, query: Any) -> Any:
        return self.index.search(*query)

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.array([number for _, number in result], np.int64)


def write_inner_format(collection: Collection, path: Path) -> None:
    """uint32 number of documents; then for each its length, its terms as uint32 and its values as float32."""
    with path.open("wb") as file:
        file.write(np.uint32(len(collection)).tobytes())
        for _, indptr, terms, impacts in collection.chunks(100_000):
            lengths = np.diff(indptr)
            starts = 2 * indptr[:-1] + np.arange(len(lengths))
            out = np.empty(2 * len(terms) + len(lengths), np.uint32)
            out[starts] = lengths
            within = np.arange(len(terms)) + np.repeat(starts + 1 - indptr[:-1], lengths)
            out[within] = terms
            out[within + np.repeat(lengths, lengths)] = impacts.astype(np.float32).view(np.uint32)
            out.tofile(file)
