"""Collections by name, made where they are not there yet, and their copies in the order of graph bisection.

Pruning engines, ours and peers alike, index the ordered copy; the others are indifferent and get the random order.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import real, real_kernels, texts
from .collection import Array, Collection, CollectionWriter, data_root, open_collection
from .synthetic import write_synthetic

REAL_ALL = 1_055_955
#: Documents of the corpora that are encoded on CPUs without being asked to.
REAL_CPU = 100_000


class NotAvailableError(Exception):
    """A collection cannot be had here; says why."""


def collection(name: str, documents: int, *, encode: bool = False, device: str = "cpu") -> Collection:
    """A collection by its set's name and size.

    `encode`: encode real documents where they are not cached, which takes minutes on CPUs.
    """
    if name in ("diffuse", "clustered"):
        return open_collection(write_synthetic(name, documents))
    if name == "real":
        if not (data_root() / f"real-{documents}" / "meta.json").exists():
            if not encode:
                raise NotAvailableError("not encoded yet: python index/bench_index.py encode")
            if not (texts.data_folder() / "corpora").exists():
                raise NotAvailableError(f"no corpora below {texts.data_folder()}; $LSR_DATA names another folder")
        return open_collection(real.write_real(documents, device=device))
    if name == "bootstrap":
        sizes = [int(p.name.split("-")[1]) for p in data_root().glob("real-*") if (p / "meta.json").exists()]
        if not sizes:
            raise NotAvailableError("no real collection is encoded yet: python index/bench_index.py encode")
        base = open_collection(data_root() / f"real-{max(sizes)}")
        return open_collection(real.write_bootstrap(documents, base))
    raise NotAvailableError(f"no set is called {name!r}")


def ordered(source: Collection) -> tuple[Collection, NDArray[np.int64]]:
    """The collection in the order of graph bisection, and for each place the document's number; kept on disk."""
    folder = source.folder / f"ordered-{len(source)}"
    if not (folder / "meta.json").exists():
        started = time.perf_counter()
        order = order_of(source)
        seconds = time.perf_counter() - started
        lengths = np.diff(source.indptr)[order]
        writer = CollectionWriter("ordered", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), source.folder)
        step = 100_000
        for first in range(0, len(order), step):
            rows = order[first : first + step]
            size = int(lengths[first : first + step].sum())
            piece: tuple[Array, Array] = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
            real_kernels.gather(source.indptr, source.terms, source.impacts, rows, *piece)
            writer.put(first, *piece)
        for kind, queries in source.queries.items():
            writer.queries(kind, queries)
        np.save(writer.folder / "order.npy", order)
        writer.finish(ordering_seconds=seconds, of=source.name)
    return open_collection(folder), np.load(folder / "order.npy")


def order_of(source: Collection) -> NDArray[np.int64]:
    """The order, by this project's own recursive graph bisection."""
    from lsr.index.ordering import order_impacts

    print(f"{source.folder.name}: ordering documents", flush=True)
    return order_impacts(source.indptr[:], source.terms.astype(np.uint32), source.impacts[:])


def ordering_seconds(folder: Path) -> float:
    return float(json.loads((folder / "meta.json").read_text()).get("ordering_seconds", 0.0))
