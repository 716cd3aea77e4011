"""`lsr check`: every byte that the newest generation rests on is read and compared; segments can be built anew."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from lsr.engine.index import Index
from lsr.engine.results import CheckReport
from lsr.engine.segments import SegmentPool
from lsr.errors import CorruptionError, FormatVersionError, OutdatedError
from lsr.store.lock import WriterLock
from lsr.store.records import SegmentRow
from lsr.store.schema import LOCK_NAME
from lsr.store.store import Store
from lsr.store.witness import Witness, read_witness, require_committed, write_witness


def check_index(path: str | PathLike[str], *, repair: bool = False) -> CheckReport:
    """Read and compare everything: SQLite's pages, each row's checksum, each segment's checksums, and one with the
    other.

    With `repair`, segments that are damaged or of an earlier format are built anew from the store, and an index that
    has lost its last commits goes on without them; damaged rows can only be named.

    Raises
    ------
    NotAnIndexError, FormatVersionError, AccessDeniedError, WriterLockedError (with `repair`)
    """
    folder = Path(path).resolve()
    found = _inspect(folder)
    if not repair or found.problems or not (found.lost or found.damaged):
        return found.report()
    if found.lost:
        lock = WriterLock(folder / LOCK_NAME)
        try:
            write_witness(folder, found.witness)
        finally:
            lock.release()
    with Index.open(folder, writable=True) as index:
        index.mend(found.damaged)
    after = _inspect(folder).report()
    return CheckReport(
        after.documents, after.segments, after.problems, (*found.lost, *found.damaged.values()), after.generation
    )


class _Findings:
    """What an inspection has found; segments and lost commits can be repaired, the other problems cannot."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.lost: list[str] = []
        self.damaged: dict[str, str] = {}
        self.documents = 0
        self.segments: list[SegmentRow] = []
        self.witness = Witness(0, "")

    def report(self) -> CheckReport:
        problems = (*self.problems, *self.lost, *self.damaged.values())
        return CheckReport(self.documents, len(self.segments), problems, (), self.witness.generation)


def _inspect(folder: Path) -> _Findings:
    found = _Findings()
    noted = read_witness(folder)
    store = Store(folder, write=False)
    try:
        store.begin_snapshot()
        _inspect_store(store, found)
        try:
            require_committed(folder, found.witness, noted)
        except CorruptionError as error:
            own = noted is not None and noted.index_id == found.witness.index_id
            (found.lost if own else found.problems).append(error.message)
        _inspect_segments(folder, store, found)
    finally:
        store.end_snapshot()
        store.close()
    return found


def _inspect_store(store: Store, found: _Findings) -> None:
    """Problems of the SQLite file, the number of documents, and the segments that the commit names."""
    found.problems += [f"{store.path}: {line}" for line in store.integrity()]
    found.documents, vectors = store.count_documents()
    try:
        state, found.segments, found.witness = store.state(), store.segments(), store.witness()
        living = sum(row.living for row in found.segments)
        if len({found.documents, vectors, state.documents, living}) > 1:
            found.problems.append(
                f"{store.path}: {found.documents} documents, {vectors} vectors, "
                f"{state.documents} in the commit, {living} in segments"
            )
    except CorruptionError as error:
        found.problems.append(error.message)
    found.problems += store.damaged_rows()


def _inspect_segments(folder: Path, store: Store, found: _Findings) -> None:
    """Each segment against its checksums, and the documents that live in it against the store's."""
    pool = SegmentPool(folder)
    for row in found.segments:
        try:
            opened = pool.take(row)
            try:
                opened.verify()
                ordinals = opened.segment.ordinals.astype(np.int64) + opened.segment.ordinal_base
            finally:
                pool.release(opened)
        except (CorruptionError, OutdatedError, FormatVersionError) as error:
            found.damaged[row.name] = error.message
            continue
        alive = row.alive()
        living = np.sort(ordinals if alive is None else ordinals[alive == 1])
        if not np.array_equal(living, store.ordinals(row.first, row.last)):
            found.damaged[row.name] = f"segment {row.name} does not hold the documents that the store has"
