"""A `.json` file: JSON Lines under another name, or one array of objects, read piece by piece.

Knows how to find the end of an object in a text that is still arriving.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from typing import Any

from lsr.documents import Document
from lsr.errors import MalformedDocumentError
from lsr.sources.fields import Fields
from lsr.sources.jsonl import as_object, read_jsonl
from lsr.sources.lines import MAX_DOCUMENT, UTF8_REMEDY

_BLANK = " \t\r\n"
_PIECE = 1 << 16
#: An error this near to the end of what was read may be gone when more is read (half an escape, half a `null`).
_NEAR_END = 16
_REMEDY = "Repair the file, or write one object a line (JSON Lines), of which single lines can be skipped"


def read_json(stream: io.BufferedReader, source: str, fields: Fields) -> Iterator[Document | MalformedDocumentError]:
    """The document of each object, or what is wrong with it.

    Raises
    ------
    MalformedDocumentError
        What follows cannot be read either, so that nothing can be skipped: broken JSON or UTF-8 within an array.
    """
    if not stream.peek(1024).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from read_jsonl(stream, source, fields)
        return
    for line, item in _Items(stream, source):
        try:
            yield fields.document(as_object(item, source, line), source, line, line=line)
        except MalformedDocumentError as error:
            yield error


class _Items:
    """The items of a JSON array, each with the line that it begins on. Holds one item and a piece of text at a time."""

    def __init__(self, stream: io.BufferedReader, source: str) -> None:
        self._stream = stream
        self._source = source
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._place = 0
        self._line = 1
        self._ended = False

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        self._expect("[")
        if self._next_sign() == "]":
            self._place += 1
        else:
            while True:
                self._next_sign()
                line = self._line
                yield line, self._item()
                if self._expect(",]") == "]":
                    break
        if sign := self._next_sign():
            raise self._malformed(f"{sign!r} after the end of the array")

    def _item(self) -> Any:
        """The value at the present place, which moves behind it."""
        while True:
            try:
                item, end = self._json.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                open_string = error.msg.startswith("Unterminated string")
                if self._ended or not (open_string or error.pos >= len(self._text) - _NEAR_END):
                    cut = self._ended and (open_string or error.pos >= len(self._text.rstrip()))
                    self._advance(error.pos)
                    reason = "the file ends within the array" if cut else f"malformed JSON: {error.msg}"
                    raise self._malformed(reason) from None
            except (ValueError, RecursionError) as error:
                raise self._malformed(f"malformed JSON: {error}") from None
            else:
                self._advance(end)
                return item
            if len(self._text) - self._place > MAX_DOCUMENT:
                raise self._malformed(f"an object is longer than {MAX_DOCUMENT >> 20} MiB")
            self._read()

    def _expect(self, signs: str) -> str:
        sign = self._next_sign()
        if not sign or sign not in signs:
            found = f"{sign!r}" if sign else "the end of the file"
            raise self._malformed(f"malformed JSON: {' or '.join(map(repr, signs))} is expected, not {found}")
        self._place += 1
        return sign

    def _next_sign(self) -> str:
        """The first sign that is not blank, where the place stays; "" at the end."""
        while True:
            place = self._place
            while place < len(self._text) and self._text[place] in _BLANK:
                place += 1
            self._advance(place)
            if place < len(self._text):
                return self._text[place]
            if self._ended:
                return ""
            self._read()

    def _advance(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place

    def _read(self) -> None:
        """Forget what is behind the place, and read as much again as is before it, so that the work stays linear."""
        rest = self._text[self._place :]
        data = self._stream.read(max(_PIECE, len(rest)))
        self._ended = not data
        try:
            self._text = rest + self._utf8.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            self._line += rest.count("\n") + data[: error.start].count(b"\n")
            byte = error.object[error.start]
            raise self._malformed(f"invalid UTF-8: byte 0x{byte:02x}", UTF8_REMEDY) from None
        self._place = 0

    def _malformed(self, reason: str, remedy: str = _REMEDY) -> MalformedDocumentError:
        return MalformedDocumentError(self._source, self._line, reason, remedy=remedy)
