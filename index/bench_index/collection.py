"""A benchmark collection on disk: document vectors and two kinds of queries as .npy files, opened as memory maps.

Knows the layout and how to write it by chunks under a temporary name. Knows nothing of where vectors come from.

    <root>/<set>-<documents>/   docs.indptr.npy   int64 (n + 1,)
                                docs.terms.npy    uint16, ascending in a row
                                docs.impacts.npy  uint8, 1 to 255
                                splade.indptr.npy, splade.terms.npy, splade.weights.npy (float32)
                                free.indptr.npy, ...                      (inference-free queries)
                                meta.json

The root is $LSR_BENCH_DATA, by default ~/.cache/lsr-bench.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 30522
KINDS = ("splade", "free")
#: Integer weight of a query's heaviest term, unless asked otherwise. The Rust BMP scales to 32 itself; with 32 every
#: peer can take the very same integers (PISA and bm25s repeat a term as often as its weight).
LEVELS = 32

Array = NDArray[Any]


def data_root() -> Path:
    return Path(os.environ.get("LSR_BENCH_DATA") or Path.home() / ".cache" / "lsr-bench")


@dataclass(frozen=True)
class Queries:
    """Float query vectors in compressed rows."""

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint16]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def integers(self, number: int, levels: int = LEVELS) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Terms, ascending, and weights 1 to `levels` of one query."""
        row = slice(int(self.indptr[number]), int(self.indptr[number + 1]))
        weights = self.weights[row].astype(np.float64)
        scaled = np.clip(np.rint(weights * (levels / weights.max())), 1, levels) if len(weights) else weights
        return self.terms[row].astype(np.uint32), scaled.astype(np.uint32)

    def all_integers(self, count: int | None = None, levels: int = LEVELS) -> list[tuple[Array, Array]]:
        return [self.integers(number, levels) for number in range(min(count or len(self), len(self)))]


@dataclass(frozen=True)
class Collection:
    """Documents, memory-mapped, and queries of both kinds."""

    folder: Path
    indptr: NDArray[np.int64]
    terms: NDArray[np.uint16]
    impacts: NDArray[np.uint8]
    queries: dict[str, Queries]
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def name(self) -> str:
        return str(self.meta["name"])

    def frequencies(self) -> NDArray[np.int64]:
        """Documents that hold each term, int64 of shape (VOCABULARY,)."""
        counts = np.zeros(VOCABULARY, np.int64)
        for start in range(0, len(self.terms), 1 << 24):
            counts += np.bincount(self.terms[start : start + (1 << 24)], minlength=VOCABULARY)
        return counts

    def chunks(self, rows: int) -> Iterator[tuple[int, Array, Array, Array]]:
        """First document, indptr from 0, terms and impacts of consecutive chunks."""
        for first in range(0, len(self), rows):
            last = min(first + rows, len(self))
            low, high = int(self.indptr[first]), int(self.indptr[last])
            yield first, self.indptr[first : last + 1] - low, self.terms[low:high], self.impacts[low:high]


def open_collection(folder: Path) -> Collection:
    def load(name: str) -> Array:
        array: Array = np.load(folder / f"{name}.npy", mmap_mode="r")
        return array

    queries = {
        kind: Queries(load(f"{kind}.indptr"), load(f"{kind}.terms"), load(f"{kind}.weights"))
        for kind in KINDS
        if (folder / f"{kind}.indptr.npy").exists()
    }
    meta = json.loads((folder / "meta.json").read_text())
    return Collection(folder, load("docs.indptr"), load("docs.terms"), load("docs.impacts"), queries, meta)


class CollectionWriter:
    """Writes a collection by chunks into a temporary folder; `finish` gives it its name."""

    def __init__(self, name: str, indptr: NDArray[np.int64], root: Path | None = None) -> None:
        self.target = (root or data_root()) / f"{name}-{len(indptr) - 1}"
        self.folder = self.target.with_name(f".{self.target.name}.tmp{os.getpid()}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.name = name
        self.indptr = indptr
        np.save(self.folder / "docs.indptr.npy", indptr)
        size = (int(indptr[-1]),)
        memmap = np.lib.format.open_memmap
        self.terms = memmap(self.folder / "docs.terms.npy", mode="w+", dtype=np.uint16, shape=size)
        self.impacts = memmap(self.folder / "docs.impacts.npy", mode="w+", dtype=np.uint8, shape=size)

    def put(self, first: int, terms: Array, impacts: Array) -> None:
        """The postings of consecutive documents from `first` on."""
        low = int(self.indptr[first])
        self.terms[low : low + len(terms)] = terms
        self.impacts[low : low + len(impacts)] = impacts

    def queries(self, kind: str, queries: Queries) -> None:
        for part in ("indptr", "terms", "weights"):
            np.save(self.folder / f"{kind}.{part}.npy", getattr(queries, part))

    def finish(self, **meta: Any) -> Path:
        self.terms.flush()
        self.impacts.flush()
        del self.terms, self.impacts  # closes the maps
        record = {"name": self.name, "documents": len(self.indptr) - 1, "postings": int(self.indptr[-1]), **meta}
        (self.folder / "meta.json").write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(self.target, ignore_errors=True)
        self.folder.rename(self.target)
        return self.target


def join_queries(rows: list[tuple[Array, Array]]) -> Queries:
    """Queries of (terms, float weights) rows; terms are put in ascending order."""
    ordered = [(terms[order], weights[order]) for terms, weights in rows for order in [np.argsort(terms)]]
    indptr = np.concatenate([[0], np.cumsum([len(terms) for terms, _ in rows])]).astype(np.int64)
    return Queries(
        indptr,
        np.concatenate([terms for terms, _ in ordered]).astype(np.uint16),
        np.concatenate([weights for _, weights in ordered]).astype(np.float32),
    )
