"""Bytes of a file, decompressed as they are read, and its lines. Compression is known by its first bytes.

Knows nothing of formats. What is cut short is an error here, never a quiet end.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lsr.errors import MalformedDocumentError, SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COMPRESSED = (".gz", ".zst")
#: Longest line in bytes; what is longer is taken for something else.
MAX_LINE = 64 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BUFFER = 1 << 17
#: Compressed bytes taken at a time; small, as they may grow a thousandfold.
_CHUNK = 1 << 13


class _Damaged(Exception):
    """zstd data that cannot be decompressed."""


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
        raise SourceError(f"{name} cannot be read: {reason}", remedy="Check the file and its permissions") from None


@contextmanager
def open_stream(path: Path, name: str) -> Iterator[io.BufferedReader]:
    """The decompressed bytes of a file; `SourceError` where it is missing, damaged or cut short."""
    with reading(name), open(path, "rb", buffering=0) as raw:
        file: io.BufferedReader = io.BufferedReader(raw, _BUFFER)
        start = file.peek(4)[:4]
        if start.startswith(_GZIP):
            yield io.BufferedReader(gzip.GzipFile(fileobj=file), _BUFFER)
        elif start == _ZSTD:
            yield io.BufferedReader(_Zstd(file), _BUFFER)
        elif path.suffix.lower() in COMPRESSED:
            raise SourceError(f"{name} is not compressed as its name says", remedy="Compress or rename it")
        else:
            yield file


class _Zstd(io.RawIOBase):
    """Decompressed zstd frames; each frame's end is checked, which zstandard's own reader does not do."""

    def __init__(self, source: io.BufferedReader) -> None:
        import zstandard

        self._source = source
        self._error: type[Exception] = zstandard.ZstdError
        self._open = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._open()
        self._rest = b""
        self._ready = memoryview(b"")
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            data = self._rest or self._source.read(_CHUNK)
            if not data:
                if self._begun:
                    raise _Damaged("the zstd data ends before its end mark")
                return 0
            if self._frame.eof:
                self._frame = self._open()
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._error as error:
                raise _Damaged(str(error)) from None
            self._rest = self._frame.unused_data
            self._begun = not self._frame.eof
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


@contextmanager
def compressed(file: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """What to write to so that `file` gets gzip or zstd data, as the suffix says; equal input gives equal bytes."""
    if suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as zipped:
            yield zipped  # type: ignore[misc]
    elif suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as writer:
            yield writer
    else:
        yield file


def numbered_lines(stream: io.BufferedReader, name: str) -> Iterator[tuple[int, str]]:
    """(number from 1, text without its end) of each line; a byte order mark at the start is dropped.

    Raises
    ------
    MalformedDocumentError
        A line is too long or not UTF-8.
    """
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise MalformedDocumentError(name, number, f"the line is longer than {MAX_LINE >> 20} MiB")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield number, line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            reason = f"invalid UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}"
            raise MalformedDocumentError(name, number, reason) from None


def files_of(path: Path, name: str, suffixes: tuple[str, ...]) -> list[tuple[Path, str]]:
    """(file, its name for messages): the file itself, or a folder's files of these suffixes, by name.

    Hidden files are passed over. `SourceError` where there are none.
    """
    with reading(name):
        if not path.is_dir():
            return [(path, name)]
        found = [
            file
            for file in path.rglob("*")
            if file.is_file()
            and bare_suffix(file) in suffixes
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
    if not found:
        raise SourceError(f"the folder {name} holds no file in {', '.join(suffixes)}", remedy="Check the path")
    return [(file, os.path.join(name, file.relative_to(path))) for file in sorted(found)]


def bare_suffix(path: Path) -> str:
    """The last suffix, in lower case, once that of a compression is off."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
        return suffixes[-1] if suffixes else ""
    return suffixes[-1] if suffixes else ""
