"""What an adapter of an engine does: build from vectors, open, prepare a query in its own form, search, name ids.

Queries are prepared and results are read outside the measured time, so that no engine pays for this suite's form.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection

#: An operating point: keyword arguments of an adapter's `prepare`, and what tables call it.
Setting = tuple[str, dict[str, Any]]


class Peer:
    """One engine. Documents are numbered 0 to n − 1 in the order in which the collection has them."""

    distribution: ClassVar[str] = ""
    #: Returns the exact top k by its own claim (at its first setting).
    exact: ClassVar[bool] = True
    #: How several queries run at once: "threads" (searches release the GIL), "fork" (they hold it, so processes), or
    #: "batch" (the engine's own call for many queries).
    parallel: ClassVar[str] = "fork"
    #: Whether it can leave documents out by a bitmap; see `among`.
    filters: ClassVar[bool] = False
    #: What a query costs: CPU time of the calling thread, of the process (engines with helper threads), or wall time
    #: (engines that work in another process).
    clock: ClassVar[Callable[[], float]] = time.thread_time
    clock_name: ClassVar[str] = "thread CPU"
    #: Queries of each kind that are run before anything is measured: for caches, compilers, a JVM's profile.
    warm_up: ClassVar[int] = 20
    #: What the tables say about how it was driven.
    note: ClassVar[str] = ""

    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    def build(self, collection: Collection, folder: Path) -> None:
        """Write the index of all documents into an empty folder."""
        raise NotImplementedError

    def open(self, folder: Path, documents: int) -> None:
        """Make ready to search what `build` wrote."""
        raise NotImplementedError

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        """The operating points to measure; the first is the engine's main one. `full`: approximate ones too."""
        return [("", {})]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        """A query in the engine's own form: terms ascending, integer weights above 0."""
        raise NotImplementedError

    def search(self, query: Any) -> Any:
        """What is timed. Callable from several threads where `parallel` says so."""
        raise NotImplementedError

    def among(self, query: Any, allowed: NDArray[np.uint8]) -> Any:
        """The same query among those documents alone whose byte in `allowed` is 1, where `filters` says so."""
        raise NotImplementedError

    def batch(self, queries: list[Any], threads: int) -> None:
        """Answer many queries in one call, where `parallel` says so."""
        raise NotImplementedError

    def ids(self, result: Any) -> NDArray[np.int64]:
        """Document numbers of a result, best first."""
        raise NotImplementedError

    def work(self, result: Any) -> dict[str, int]:
        """Counted work of a result, where the engine counts it."""
        return {}

    def info(self) -> dict[str, Any]:
        """Anything to be kept with the build: parameters, sizes that the engine itself reports."""
        return {}


def rows_as_dicts(collection: Collection, chunk: int = 20_000) -> Any:
    """Each document as {term: impact}, strings and ints, as several engines take it."""
    names = [str(number) for number in range(65536)]
    for _, indptr, terms, impacts in collection.chunks(chunk):
        all_terms, all_impacts = terms.tolist(), impacts.tolist()
        borders = indptr.tolist()
        for low, high in itertools.pairwise(borders):
            yield {names[t]: i for t, i in zip(all_terms[low:high], all_impacts[low:high], strict=True)}


def columns(collection: Collection) -> tuple[Array, Array, Array]:
    """Postings by term: indptr (int64), documents (int32) ascending, impacts (uint8); 5 bytes a posting."""
    from ..truth import invert

    frequencies = collection.frequencies()
    indptr = np.concatenate([[0], np.cumsum(frequencies)]).astype(np.int64)
    docs, impacts = np.empty(int(indptr[-1]), np.int32), np.empty(int(indptr[-1]), np.uint8)
    places = indptr[:-1].copy()
    for first, borders, terms, values in collection.chunks(100_000):
        invert(first, borders, terms, values, places, docs, impacts)
    return indptr, docs, impacts
