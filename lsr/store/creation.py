"""Making the folder of an index: it is there whole, or the next attempt finds nothing in its way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from lsr.errors import IndexExistsError
from lsr.store.durable import named_refusals
from lsr.store.lock import WriterLock
from lsr.store.records import State
from lsr.store.schema import FILE_NAME, LOCK_NAME, SEGMENT_FOLDER, create

#: All that a creation makes, finished or not.
_STORE = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", f"{FILE_NAME}-journal")
_MADE = {*_STORE, SEGMENT_FOLDER, LOCK_NAME}


def is_vacant(folder: Path) -> bool:
    """True where an index can be made: nothing there, an empty folder, or only what a killed creation left."""
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    names = set(os.listdir(folder))
    segments = folder / SEGMENT_FOLDER
    return (
        names <= _MADE
        and (not segments.exists() or (segments.is_dir() and not os.listdir(segments)))
        and (not names & set(_STORE) or _is_blank(folder / FILE_NAME))
    )


def _is_blank(path: Path) -> bool:
    """True where the file is an SQLite database without any table: the transaction that makes them did not commit."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    try:
        connection = sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True)
        try:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return False
    return bool(tables == 0 and mark == 0)


def create_folder(folder: Path, settings: Mapping[str, str], state: State) -> None:
    """Make an index without documents in `folder`, in one transaction, under the writer's lock.

    Raises
    ------
    IndexExistsError, WriterLockedError, AccessDeniedError, DiskFullError
        Nothing is left behind then.
    """
    with named_refusals(folder):
        _require_vacant(folder)
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder / LOCK_NAME)
        try:
            _require_vacant(folder)  # another may have made one until we had the lock
            _clear(folder)
            (folder / SEGMENT_FOLDER).mkdir()
            try:
                create(folder, settings, state)
            except BaseException:
                _clear(folder)
                (folder / LOCK_NAME).unlink(missing_ok=True)
                if new:
                    folder.rmdir()
                raise
        finally:
            lock.release()


def _require_vacant(folder: Path) -> None:
    if is_vacant(folder):
        return
    if (folder / FILE_NAME).exists():
        raise IndexExistsError(f"{folder} already holds an index", remedy="Add to it, or choose another folder")
    raise IndexExistsError(f"{folder} is not an empty folder", remedy="Choose another one")


def _clear(folder: Path) -> None:
    for name in _STORE:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SEGMENT_FOLDER, ignore_errors=True)
