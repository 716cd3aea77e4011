"""Numbered lines of a byte stream, none longer than can be held, and their decoding.

Knows line ends and UTF-8. Knows nothing of what a line means.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from lsr.errors import MalformedDocumentError

#: Longest line, or text file, in bytes. What is longer is taken for something else than a document.
MAX_DOCUMENT = 64 << 20
_BOM = b"\xef\xbb\xbf"

SKIP_REMEDY = "Repair it, or pass over such documents: --on-error skip"
UTF8_REMEDY = "Convert the file to UTF-8, for example: iconv -f ISO-8859-1 -t UTF-8"


def numbered_lines(stream: io.BufferedReader, source: str) -> Iterator[tuple[int, bytes] | MalformedDocumentError]:
    """(number from 1, line with its end) for each line; an error in the place of a line that is too long.

    A byte order mark at the start is dropped.
    """
    number = 0
    while line := stream.readline(MAX_DOCUMENT + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > MAX_DOCUMENT and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_DOCUMENT)
            yield MalformedDocumentError(
                source, number, f"the line is longer than {MAX_DOCUMENT >> 20} MiB", remedy=SKIP_REMEDY
            )
        else:
            yield number, line


def decode(data: bytes, source: str, line: int) -> str:
    """Bytes that begin at `line` as text.

    Raises
    ------
    MalformedDocumentError
        Invalid UTF-8; names the line, the byte and its place in the line, from 1.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = error.start - (before.rfind(b"\n") + 1) + 1
        reason = f"invalid UTF-8: byte 0x{data[error.start]:02x} at position {place}"
        raise MalformedDocumentError(source, line + before.count(b"\n"), reason, remedy=UTF8_REMEDY) from None
