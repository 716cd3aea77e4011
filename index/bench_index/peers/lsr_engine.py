"""This project's own index. The one file to change when its interface changes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, Setting

#: Documents that are handed over at a time.
CHUNK = 100_000

#: Approximate modes: how far bounds are over-estimated, and the share of the query that finds candidates.
OVERESTIMATES = (1.0, 1.01, 1.04, 1.1, 1.25)
QUERY_TERMS = (1.0, 0.75, 0.5)


class Lsr(Peer):
    distribution = "lsr-engine"
    parallel = "batch"
    filters = True
    note: ClassVar[str] = "one segment, memory-mapped"

    def build(self, collection: Collection, folder: Path) -> None:
        from lsr.index.build import SegmentBuilder

        with SegmentBuilder(folder / "all.seg", 255.0) as builder:
            for first, indptr, terms, impacts in collection.chunks(CHUNK):
                ordinals = np.arange(first, first + len(indptr) - 1)
                builder.add_impacts(indptr, terms.astype(np.uint32), np.array(impacts), ordinals)
            builder.finish()

    def open(self, folder: Path, documents: int) -> None:
        from lsr.index.options import SearchOptions
        from lsr.index.search import Queries, search_many, search_segments
        from lsr.index.segment import Segment

        self.segments = [Segment(folder / "all.seg", verify=False)]
        self.options = SearchOptions
        self.search_segments = search_segments
        self.queries, self.search_many = Queries, search_many

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        exact: list[Setting] = [(name, {"strategy": name}) for name in ("auto", "scan", "prune")]
        if not (full or k == 10):
            return exact
        return exact + [
            (
                f"approx bounds × {over:g}, terms {share:g}",
                {"overestimate": over, "overestimate_superblocks": over, "query_terms": share},
            )
            for over, share in itertools.product(OVERESTIMATES, QUERY_TERMS)
            if (over, share) != (1.0, 1.0)
        ]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return terms, weights, k, self.options(**setting)

    def search(self, query: Any) -> Any:
        *asked, allowed = query if len(query) == 5 else (*query, None)
        return self.search_segments(self.segments, [allowed], *asked)

    def among(self, query: Any, allowed: NDArray[np.uint8]) -> Any:
        return *query, allowed

    def batch(self, queries: list[Any], threads: int) -> None:
        _, _, k, options = queries[0]
        asked = self.queries.of([(terms, weights) for terms, weights, _, _ in queries])
        self.search_many(self.segments, [None], asked, k, options, threads)

    def ids(self, result: Any) -> NDArray[np.int64]:
        ordinals: NDArray[np.int64] = result.ordinals
        return ordinals

    def work(self, result: Any) -> dict[str, int]:
        return {name: int(count) for name, count in result.work._asdict().items()}


class LsrUnordered(Lsr):
    """The same over documents in random order: what ordering is worth."""

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        return [("auto", {"strategy": "auto"})]
