"""One immutable file of named arrays: header, sections, checksums. The byte layout is described in index/FORMAT.md.

Knows how to write such a file durably and how to open it safely; knows nothing of what the arrays mean.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from lsr.errors import CorruptionError, FormatVersionError, OutdatedError

#: The carriage return and line feed show a transfer that took the file for text.
MAGIC = b"LSRSEG\r\n"
VERSION = 2
#: Sections start at multiples of this: a cache line.
ALIGNMENT = 64
#: Bytes that one checksum covers.
CHUNK = 1 << 16

_PREFIX = struct.Struct("<8sIIQ")  # magic, version, header bytes, file bytes
_DIGEST = struct.Struct("<Q")
#: Chunks that are compared between two questions whether to stop: 16 MiB.
_PORTION = 256


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What a commit keeps of a file: its size in bytes and the checksum of its header, which covers all the rest."""

    bytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Parts:
    """A one-dimensional array that is written piece by piece, and never as a whole in memory."""

    dtype: np.dtype[Any]
    length: int
    pieces: Iterable[NDArray[Any]]

    @property
    def shape(self) -> tuple[int]:
        return (self.length,)

    @property
    def nbytes(self) -> int:
        return self.length * self.dtype.itemsize


def _round_up(number: int) -> int:
    return -(-number // ALIGNMENT) * ALIGNMENT


def _chunk_digests(body: memoryview) -> NDArray[np.uint64]:
    starts = range(0, len(body), CHUNK)
    return np.array([xxhash.xxh3_64_intdigest(body[start : start + CHUNK]) for start in starts], np.uint64)


def write_arrays(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any] | Parts]) -> FileSummary:
    """Write the file under a temporary name, flush it to the device, and give it its name.

    Parameters
    ----------
    facts : mapping
        JSON values kept in the header.
    arrays : mapping of contiguous ndarrays, or of `Parts`
        Written in order, little-endian.

    The caller flushes the folder (see `sync_folder`) before it names the file in a commit.
    """
    sections: dict[str, Any] = {}
    position = 0
    for name, array in arrays.items():
        position = _round_up(position)
        dtype = array.dtype.newbyteorder("<").str
        sections[name] = {"offset": position, "dtype": dtype, "shape": list(array.shape)}
        position += array.nbytes
    body_bytes = position

    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "w+b") as file:
            # The header's length must be known before its checksums are: they have a fixed width in hexadecimal.
            header = _header(facts, sections, body_bytes, "0" * 16)
            body_start = _round_up(_PREFIX.size + len(header) + _DIGEST.size)
            digest_start = body_start + _round_up(body_bytes)
            chunks = -(-body_bytes // CHUNK)
            total = digest_start + chunks * 8
            file.truncate(total)
            for name, array in arrays.items():
                file.seek(body_start + sections[name]["offset"])
                pieces = array.pieces if isinstance(array, Parts) else [array]
                written = 0
                for piece in pieces:
                    written += file.write(np.ascontiguousarray(piece).view(np.uint8).data) if piece.nbytes else 0
                if written != array.nbytes:
                    raise ValueError(f"the array {name!r} has {written} bytes, not {array.nbytes}")
            file.flush()
            with mmap.mmap(file.fileno(), total, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                digests = _chunk_digests(view[body_start : body_start + body_bytes])
            table = digests.astype("<u8").tobytes()
            file.seek(digest_start)
            file.write(table)
            header = _header(facts, sections, body_bytes, xxhash.xxh3_64_hexdigest(table))
            head = _PREFIX.pack(MAGIC, VERSION, body_start, total) + header
            head = head.ljust(body_start - _DIGEST.size, b" ")
            checksum = xxhash.xxh3_64_intdigest(head)
            file.seek(0)
            file.write(head + _DIGEST.pack(checksum))
            file.flush()
            flush_to_device(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return FileSummary(total, checksum)


def _header(facts: Mapping[str, Any], sections: Mapping[str, Any], body_bytes: int, table_digest: str) -> bytes:
    record = {
        "facts": dict(facts),
        "sections": sections,
        "body_bytes": body_bytes,
        "chunk": CHUNK,
        "table": table_digest,
    }
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()


def flush_to_device(handle: int) -> None:
    """fsync. Where it fails, for whatever reason, it is EIO: the system may have dropped what it could not write, and
    a second attempt would succeed without having written it.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        raise OSError(errno.EIO, f"flushing failed: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries to the device: what was created or renamed in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flush_to_device(handle)
    finally:
        os.close(handle)


class ArrayFile:
    """A file of `write_arrays`, memory-mapped.

    Parameters
    ----------
    path : Path
    expected : FileSummary, optional
        What the commit says of the file; anything else there is refused.
    verify : bool
        Read the whole file and compare every checksum, now. The header, which says where everything lies, is always
        checked; the rest can be compared later by `verify`.

    The file stays open: one that is cut short under its mapping is refused by `require_whole`, before the operating
    system would end the process that reads beyond its end.

    Raises
    ------
    CorruptionError
        The file is missing, of another length, or its bytes are not those that were written.
    FormatVersionError
        Written by another version of the format; `OutdatedError` where by an earlier one.
    """

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def __init__(self, path: Path, *, expected: FileSummary | None = None, verify: bool = True) -> None:
        self.path = path
        self.verified = False
        self._size = -1
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._damaged("it is missing") from None
        try:
            size = os.fstat(self._handle).st_size
            if size < _PREFIX.size + _DIGEST.size:
                raise self._damaged(f"it has {size} bytes, too few for a header")
            self._map = mmap.mmap(self._handle, size, access=mmap.ACCESS_READ)
            self._size = size
            try:
                self._read_header(size, expected)
            except (KeyError, TypeError, ValueError) as error:  # its checksum is right: it was written so
                raise self._damaged(f"its header cannot be understood: {error!r}") from error
            if verify:
                self.verify()
        except BaseException:
            self.close()
            raise

    def _damaged(self, detail: str) -> CorruptionError:
        return CorruptionError(self.path, detail, remedy="`lsr check DIR --repair` rebuilds segments from the store")

    def _read_header(self, size: int, expected: FileSummary | None) -> None:
        magic, version, body_start, total = _PREFIX.unpack_from(self._map)
        if magic != MAGIC:
            raise self._damaged(f"it starts with {magic!r}, not with {MAGIC!r}")
        if version < VERSION:
            raise OutdatedError(
                f"{self.path} has segment format {version}, this version of lsr reads {VERSION}",
                remedy="bring the index up to date: `lsr check DIR --repair` builds its segments anew from the store",
            )
        if version != VERSION:
            raise FormatVersionError(
                f"{self.path} has segment format {version}, this version of lsr reads {VERSION}",
                remedy="index the documents again, or use the version of lsr that wrote it",
            )
        if total != size:
            raise self._damaged(f"it has {size} bytes, its header says {total}")
        if not _PREFIX.size + _DIGEST.size <= body_start <= size or body_start % ALIGNMENT:
            raise self._damaged(f"its header has an impossible length, {body_start}")
        head = self._map[: body_start - _DIGEST.size]
        (checksum,) = _DIGEST.unpack_from(self._map, body_start - _DIGEST.size)
        if xxhash.xxh3_64_intdigest(head) != checksum:
            raise self._damaged("the checksum of its header does not match")
        if expected is not None and FileSummary(size, checksum) != expected:
            raise self._damaged("it is a sound file, but not the one that the commit names")
        record = json.loads(head[_PREFIX.size :])
        self._body = slice(body_start, body_start + record["body_bytes"])
        self._table = body_start + _round_up(record["body_bytes"])
        self._table_digest: str = record["table"]
        if record["chunk"] != CHUNK:
            raise self._damaged(f"its checksums are of {record['chunk']} bytes each, not of {CHUNK}")
        self.facts = record["facts"]
        self.arrays = {}
        for name, section in record["sections"].items():
            shape = tuple(section["shape"])
            flat = np.frombuffer(
                self._map,
                np.dtype(section["dtype"]),
                count=int(np.prod(shape, dtype=np.int64)),
                offset=body_start + section["offset"],
            )
            self.arrays[name] = flat.reshape(shape)

    def require_whole(self) -> None:
        """Raise `CorruptionError` where the file has another length than when it was opened: it was cut, or grew."""
        if (size := os.fstat(self._handle).st_size) != self._size:
            raise self._damaged(f"it has {size} bytes, when it was opened it had {self._size}")

    def reopen(self) -> IO[bytes]:
        """The file as bytes, also where it has lost its name; the position is shared by all handles of one opening."""
        file = os.fdopen(os.dup(self._handle), "rb")
        file.seek(0)
        return file

    def verify(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Compare every checksum; `CorruptionError` names the first chunk that differs.

        `stop` is asked now and then; where it says so the rest is left, and `verified` stays false.
        """
        self.require_whole()
        table = self._map[self._table :]
        if xxhash.xxh3_64_hexdigest(table) != self._table_digest:
            raise self._damaged("the checksum of its checksum table does not match")
        stored = np.frombuffer(table, "<u8")
        chunks = -(-(self._body.stop - self._body.start) // CHUNK)
        if chunks != len(stored):
            raise self._damaged(f"it has {len(stored)} checksums for {chunks} chunks")
        with memoryview(self._map) as view, view[self._body] as body:
            for first in range(0, chunks, _PORTION):
                if stop():
                    return
                found = _chunk_digests(body[first * CHUNK : (first + _PORTION) * CHUNK])
                if (wrong := np.flatnonzero(found != stored[first : first + len(found)])).size:
                    start = self._body.start + (first + int(wrong[0])) * CHUNK
                    raise self._damaged(f"the checksum of bytes {start} to {start + CHUNK} does not match")
        self.verified = True

    def close(self) -> None:
        """Drop the mapping as soon as nobody holds an array of it."""
        self.arrays = {}
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._size < 0:
            return
        self._size = -1
        try:
            self._map.close()
        except BufferError:
            # An array of this file is still in use; the mapping goes with the last of them.
            del self._map
