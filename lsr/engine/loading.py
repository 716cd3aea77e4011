"""Filling an index from a stream of documents: batches that commit as they go, so that nothing done is done again.

Knows how large a batch should be. Knows nothing of files or of terminals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import xxhash

from lsr.documents import Document
from lsr.engine.index import Index

#: Documents of the first batch, of the largest, and how long a batch should take, in seconds.
_FIRST, _LARGEST, _SECONDS = 256, 16384, 2.0


@dataclass(slots=True)
class LoadReport:
    """Counts of one load.

    Attributes
    ----------
    read : int
        Documents that came.
    written : int
        Added or changed; `replaced` of them took the place of an older document of the same id.
    unchanged : int
        There already, equal in every field: not encoded again.
    duplicates : int
        Came with an id that had come before in this load; the last of an id counts.
    seconds : float
    """

    read: int = 0
    written: int = 0
    replaced: int = 0
    unchanged: int = 0
    duplicates: int = 0
    seconds: float = 0.0


def load_documents(
    index: Index,
    documents: Iterable[Document],
    report: LoadReport,
    *,
    progress: Callable[[LoadReport], None] | None = None,
) -> None:
    """Add documents in batches, each a durable commit; those that are there already, unchanged, are not encoded again.

    Interrupted at any point, the index holds every batch so far, and the same call continues. `report` is counted up
    as batches are committed, and `progress` called with it. Batches grow until one takes about two seconds. The caller
    optimizes at the end.
    """
    started = time.perf_counter()
    before = report.seconds
    met: set[int] = set()
    iterator = iter(documents)
    size = _FIRST
    while batch := list(islice(iterator, size)):
        begun = time.perf_counter()
        newest = {document.id: document for document in batch}
        done = index.add(newest.values(), skip_unchanged=True)
        report.read += len(batch)
        report.written += done.added
        report.replaced += done.replaced
        report.unchanged += done.unchanged
        report.duplicates += len(batch) - len(newest) + _count_met(newest, met)
        report.seconds = before + time.perf_counter() - started
        if progress is not None:
            progress(report)
        if time.perf_counter() - begun < _SECONDS / 2:
            size = min(size * 2, _LARGEST)


def _count_met(ids: Iterable[str], met: set[int]) -> int:
    """How many of the ids came in an earlier batch; all are remembered, as 8-byte hashes."""
    keys = {xxhash.xxh3_64_intdigest(id.encode()) for id in ids}
    again = len(keys & met)
    met |= keys
    return again
