"""Bytes of a file, decompressed as the sources do it, and its lines; compression for what is written.

Knows nothing of formats. What is cut short is an error here, never a quiet end.
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import lsr.sources.streams as sources
from lsr.errors import MalformedDocumentError, SourceError
from lsr.sources.streams import reading

COMPRESSED = (".gz", ".zst")
#: Longest line in bytes; what is longer is taken for something else.
MAX_LINE = 64 << 20


def open_stream(path: Path, name: str) -> AbstractContextManager[io.BufferedReader]:
    """The decompressed bytes of a file; `SourceError` where it is missing, damaged or cut short."""
    return sources.open_stream(path, name, sources.Progress())


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
