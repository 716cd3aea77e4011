"""Bytes of a file or of standard input, decompressed as they are read, with a count of what was read.

Compression is recognised by its first bytes, not by the file's name. Knows nothing of lines or documents.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lsr.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BUFFER = 1 << 17
#: Compressed bytes that are decompressed at a time; small, as they may grow a thousandfold.
_CHUNK = 1 << 13


@dataclass(slots=True)
class Progress:
    """Bytes of the source, as it lies on disk, that were read so far."""

    bytes: int = 0


@contextmanager
def open_stream(path: Path | None, name: str, progress: Progress) -> Iterator[io.BufferedReader]:
    """A buffered, decompressed stream of a file, or of standard input where `path` is None.

    Parameters
    ----------
    path : Path or None
    name : str
        The source for messages; its suffix says whether it has to be compressed.
    progress : Progress
        Counts the bytes that are read from the file.

    Raises
    ------
    SourceError
        The file is missing, cannot be read, or its compression is damaged or cut short. The latter come up while
        reading: whatever the body of the `with` statement raises of these is translated.
    """
    with reading(name), _opened(path) as file:
        source: io.BufferedReader = io.BufferedReader(_Counted(file, progress), _BUFFER)
        yield _decompressed(source, name, checked=path is not None)


def _opened(path: Path | None) -> AbstractContextManager[BinaryIO]:
    # Standard input stays open, it is not ours.
    return nullcontext(sys.stdin.buffer) if path is None else path.open("rb", buffering=0)


def _decompressed(source: io.BufferedReader, name: str, *, checked: bool) -> io.BufferedReader:
    start = source.peek(4)[:4]
    if start.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=source), _BUFFER)
    if start == _ZSTD:
        return io.BufferedReader(_Zstd(source), _BUFFER)
    suffix = Path(name).suffix.lower()
    if checked and suffix in (".gz", ".zst"):
        kind = "gzip" if suffix == ".gz" else "zstd"
        raise SourceError(f"{name} is not {kind} data, as its name says", remedy="Compress or rename it")
    return source


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the operating system and the decompressors raise into `SourceError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{error.filename or name} does not exist", remedy="Check the path") from None
    except (gzip.BadGzipFile, zlib.error, EOFError, _Damaged) as error:
        raise SourceError(f"{name} is damaged or cut short: {error}", remedy="Fetch it or compress it again") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(
            f"{error.filename or name} cannot be read: {reason}", remedy="Check the file and its permissions"
        ) from None


class _Damaged(Exception):
    """zstd data that cannot be decompressed."""


class _Counted(io.RawIOBase):
    """A file whose bytes are counted as they are read."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        # A pipe gives what is there, without waiting for a full buffer.
        self._read = getattr(file, "read1", file.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data: bytes = self._read(len(view))
        view[: len(data)] = data
        self._progress.bytes += len(data)
        return len(data)


class _Zstd(io.RawIOBase):
    """Decompressed zstd frames.

    zstandard's own reader ends quietly where a frame is cut short, so each frame's end is checked here.
    """

    def __init__(self, source: io.BufferedReader) -> None:
        import zstandard

        self._source = source
        self._error: type[Exception] = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame = self._decompressor.decompressobj()
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            if not self._compressed:
                self._compressed = self._source.read(_CHUNK)
            if not self._compressed:
                if not self._frame.eof and self._begun:
                    raise _Damaged("the zstd data ends before its end mark")
                return 0
            self._decompress()
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    #: Whether the current frame has had any data; none after the last frame is a good end.
    _begun = False

    def _decompress(self) -> None:
        if self._frame.eof:
            self._frame = self._decompressor.decompressobj()
        try:
            self._ready = memoryview(self._frame.decompress(self._compressed))
        except self._error as error:
            raise _Damaged(str(error)) from None
        self._compressed = self._frame.unused_data
        self._begun = not self._frame.eof
