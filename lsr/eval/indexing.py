"""An index of a collection for evaluation: temporary, or kept in a folder and found again.

Knows when a kept index may be used again: same documents, encoder, settings and idf. Knows nothing of measures.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsr.documents import Document
from lsr.errors import EvaluationError
from lsr.eval.collections.base import Collection

if TYPE_CHECKING:
    from lsr.engine.index import Index
    from lsr.eval.systems.base import Progress

#: Beside a kept index once it is complete: the key that it was made for.
_COMPLETE = "complete.json"


@dataclass(frozen=True, slots=True)
class IndexingReport:
    """`timings` of this run go to the provenance, `warnings` to the result; `documents_per_second` is of the run that
    built the index, which may have been an earlier one.
    """

    timings: dict[str, float]
    warnings: tuple[str, ...]
    documents_per_second: float | None = None


@contextmanager
def indexed(
    encoder: str,
    collection: Collection,
    settings: Mapping[str, str | int | float | bool | None],
    query_idf: str | None,
    directory: str | Path | None,
    progress: Progress | None = None,
) -> Iterator[tuple[Index, IndexingReport]]:
    """An open index of all documents of a collection, closed (and, without a directory, deleted) at the end.

    Raises
    ------
    EvaluationError
        The collection has no document.
    """
    with tempfile.TemporaryDirectory(prefix="lsr-eval-", ignore_cleanup_errors=True) as scratch:
        if directory is None:
            place = Path(scratch) / "index"
            done = None
        else:
            key = {
                "documents": collection.digest().get("corpus.jsonl", collection.location),
                "encoder": encoder,
                "settings": dict(settings),
                "query_idf": query_idf,
            }
            line = json.dumps(key, sort_keys=True)
            folder = Path(directory) / hashlib.sha256(line.encode()).hexdigest()[:16]
            folder.mkdir(parents=True, exist_ok=True)
            place, done = folder / "index", folder / _COMPLETE
        with _opened(place, encoder, settings, query_idf) as index:
            yield index, _filled(index, collection, done, progress)


def _opened(
    place: Path, encoder: str, settings: Mapping[str, str | int | float | bool | None], query_idf: str | None
) -> Index:
    from lsr.engine.index import Index

    if place.exists():
        return Index.open(place, writable=True)
    return Index.create(place, encoder=encoder, encoder_settings=dict(settings), query_idf=query_idf)


def _filled(index: Index, collection: Collection, done: Path | None, progress: Progress | None) -> IndexingReport:
    """Add what is not there yet; a collection that was added to its end before is not read again."""
    from lsr.engine.loading import LoadReport, load_documents

    if done is not None and done.exists():
        kept = json.loads(done.read_text())
        return IndexingReport({}, tuple(kept["warnings"]), kept.get("documents_per_second"))
    empty = 0

    def documents() -> Iterator[Document]:
        nonlocal empty
        for document in collection.documents():
            if document.content.strip():
                yield document
            else:
                empty += 1

    def moved(report: LoadReport) -> None:
        if progress:
            progress("index", report.read + empty, total)

    started = time.perf_counter()
    total = collection.document_count
    report = LoadReport()
    load_documents(index, documents(), report, progress=moved)
    if not report.read:
        raise EvaluationError(
            f"the collection {collection.name} has no document with a text", remedy="Look at its corpus.jsonl"
        )
    index.optimize()
    seconds = time.perf_counter() - started
    warnings = []
    if report.duplicates:
        warnings.append(f"{report.duplicates} documents have the id of an earlier one, and replaced it")
    if empty:
        warnings.append(f"{empty} documents are empty and cannot be found")
    timings = {"index_seconds": round(seconds, 3)}
    rate = round(report.written / seconds, 1) if report.written else None
    if rate is not None:
        timings["documents_per_second"] = rate
    if done is not None:
        part = done.with_suffix(".part")  # a file that an interrupt left half would be read as complete
        part.write_text(json.dumps({"warnings": warnings, "documents_per_second": rate}))
        part.replace(done)
    return IndexingReport(timings, tuple(warnings), rate)
