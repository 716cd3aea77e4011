"""`lsr check`: every byte that the newest generation rests on is read and compared; segments can be built anew."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from lsr.engine.index import Index
from lsr.engine.results import CheckReport
from lsr.errors import CorruptionError, FormatVersionError
from lsr.index.segment import Segment
from lsr.store.records import SegmentRow
from lsr.store.schema import SEGMENT_FOLDER
from lsr.store.store import Store


def check_index(path: str | PathLike[str], *, repair: bool = False) -> CheckReport:
    """Read and compare everything: SQLite's pages, each row's checksum, each segment's checksums.

    With `repair`, damaged segments are built anew from the store; damaged rows can only be named.

    Raises
    ------
    NotAnIndexError, FormatVersionError, AccessDeniedError, WriterLockedError (with `repair`)
    """
    folder = Path(path)
    store = Store(folder, write=False)
    try:
        store.begin_snapshot()
        problems, documents, segments = _inspect_store(store)
        damaged = _inspect_segments(folder, segments)
    finally:
        store.end_snapshot()
        store.close()
    if not (repair and damaged) or problems:
        return CheckReport(documents, len(segments), (*problems, *damaged))
    with Index.open(folder, writable=True) as index:
        index.rebuild()
    after = check_index(folder)
    return CheckReport(after.documents, after.segments, after.problems, tuple(damaged))


def _inspect_store(store: Store) -> tuple[list[str], int, list[SegmentRow]]:
    """Problems of the SQLite file, the number of documents, and the segments that the commit names."""
    problems = [f"{store.path}: {line}" for line in store.integrity()]
    documents, vectors = store.count_documents()
    segments: list[SegmentRow] = []
    try:
        state, segments = store.state(), store.segments()
        living = sum(row.living for row in segments)
        if len({documents, vectors, state.documents, living}) > 1:
            problems.append(
                f"{store.path}: {documents} documents, {vectors} vectors, "
                f"{state.documents} in the commit, {living} in segments"
            )
    except CorruptionError as error:
        problems.append(error.message)
    problems += store.damaged_rows()
    return problems, documents, segments


def _inspect_segments(folder: Path, rows: list[SegmentRow]) -> list[str]:
    damaged = []
    for row in rows:
        try:
            Segment(folder / SEGMENT_FOLDER / row.name, expected=row.file, verify=True).close()
        except (CorruptionError, FormatVersionError) as error:
            damaged.append(error.message)
    return damaged
