"""Tables of the store, and opening a connection to them the one right way."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from lsr.errors import AccessDeniedError, CorruptionError, FormatVersionError, NotAnIndexError
from lsr.store.codec import text_checksum
from lsr.store.durable import device_failed, disk_full
from lsr.store.records import State

FILE_NAME = "store.sqlite"
SEGMENT_FOLDER = "segments"
LOCK_NAME = "writer.lock"

#: "LSR1": marks the SQLite file as ours.
APPLICATION_ID = 0x4C535231
#: Version of the tables below and of what their values mean.
FORMAT_VERSION = 1

#: Name of the setting that is the checksum of the others; indexes made before it was kept have none.
SEAL = "checksum"

SCHEMA = """
-- What never changes after creation: encoder, its settings and fingerprint, the query-idf setting, the index's own id.
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row: the committed generation and the statistics that go with it, as JSON.
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL, checksum INTEGER NOT NULL);

-- Live documents only. AUTOINCREMENT: an ordinal is never given twice, so a reader of an older generation cannot take
-- a new document for an old one.
CREATE TABLE documents (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
);

-- What the encoder gave for each live document: (uint32 term, float32 weight) pairs, little-endian.
CREATE TABLE vectors (ordinal INTEGER PRIMARY KEY, pairs BLOB NOT NULL, checksum INTEGER NOT NULL);

-- The live segments: files that are derived from `vectors`. Each covers a range of ordinals of its own.
CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    postings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    file_checksum INTEGER NOT NULL,
    -- Dead documents: one bit a document in the segment's order, NULL for none; and how often each term occurs in them.
    dead BLOB,
    dead_terms BLOB,
    checksum INTEGER NOT NULL
);

-- For encoders that expand: one row, in how many live documents' texts each term stands, uint32 a term.
CREATE TABLE frequencies (one INTEGER PRIMARY KEY CHECK (one = 1), counts BLOB NOT NULL, checksum INTEGER NOT NULL);

-- The vocabulary of an encoder that has none of its own (BM25). It only ever grows.
CREATE TABLE terms (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
"""


def connect(folder: Path, *, write: bool) -> sqlite3.Connection:
    """A connection to the store of an index directory, in autocommit mode, usable from any one thread at a time.

    Raises
    ------
    NotAnIndexError, FormatVersionError, AccessDeniedError, CorruptionError
    """
    path = folder / FILE_NAME
    _require(folder, path)
    mode = "rw" if write else "ro"
    wal = path.with_name(path.name + "-wal")
    if not write and not os.access(folder, os.W_OK) and not wal.exists():
        mode = "ro&immutable=1"  # cleanly closed, and not ours to write to: SQLite needs no side files then
    try:
        connection = sqlite3.connect(
            f"file:{_quote(path)}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=30
        )
        try:
            _check_version(connection, path)
            if write:
                connection.execute("PRAGMA synchronous = FULL")
                # The writer moves the log into the file between commits (`Store.checkpoint`), not within them.
                connection.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise explain(error, path) from error
    return connection


def create(folder: Path, settings: Mapping[str, str], state: State) -> None:
    """A store without documents in an existing folder, in one transaction: it is there whole, or not at all."""
    path = folder / FILE_NAME
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};"
            connection.executescript(f"BEGIN; {marks} {SCHEMA}")
            sealed = {**settings, SEAL: settings_seal(settings)}
            connection.executemany("INSERT INTO settings VALUES (?, ?)", sealed.items())
            value = state.to_json()
            connection.execute("INSERT INTO state VALUES (1, ?, ?)", (value, text_checksum(value)))
            connection.execute("COMMIT")
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise explain(error, path) from error


def settings_seal(settings: Mapping[str, str]) -> str:
    """The checksum of all settings, which is kept among them."""
    fields = [part for name, value in sorted(settings.items()) if name != SEAL for part in (name, value)]
    return str(text_checksum(*fields))


def _require(folder: Path, path: Path) -> None:
    try:
        if path.is_file():
            if not os.access(path, os.R_OK):
                raise AccessDeniedError(f"{path} may not be read", remedy="check its owner and permissions")
            return
    except PermissionError:
        raise AccessDeniedError(f"{folder} may not be read", remedy="check its owner and permissions") from None
    what = "does not exist" if not folder.exists() else f"holds no {FILE_NAME}" if folder.is_dir() else "is a file"
    raise NotAnIndexError(f"{folder} is not an index: it {what}", remedy="make one with `lsr index SOURCE --to DIR`")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark != APPLICATION_ID:
        raise NotAnIndexError(f"{path} is an SQLite file, but not of an index", remedy="choose another folder")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != FORMAT_VERSION:
        raise FormatVersionError(
            f"{path} has format {version}, this version of lsr reads and writes {FORMAT_VERSION}",
            remedy="index the documents again, or use the version of lsr that wrote it",
        )


def _quote(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _no_room(path: Path) -> bool:
    """True where the device has less room than SQLite needs beside the file, even to read it."""
    status = os.statvfs(path.parent)
    return status.f_bavail * status.f_frsize < 1 << 16


def explain(error: sqlite3.Error, path: Path) -> Exception:
    """The exception of our tree that says what SQLite means."""
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or name.startswith("SQLITE_CORRUPT"):
        return CorruptionError(path, f"SQLite reports: {error}", remedy="restore it from a copy, or index again")
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _no_room(path)):
        return disk_full(path)
    if name.startswith("SQLITE_IOERR"):
        return device_failed(path, f"SQLite reports {name}")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CANTOPEN")):
        return AccessDeniedError(f"{path} may not be opened: {error}", remedy="check its owner and permissions")
    return error
