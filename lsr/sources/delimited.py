"""Tables as text: CSV with quotes (RFC 4180) and TSV without. The first line names the columns.

In TSV a quote is a character like any other, as tabs and line ends cannot stand in a value (and text that begins with a
quotation is common in published collections).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager

from lsr.documents import Document
from lsr.errors import MalformedDocumentError, SourceError
from lsr.sources.fields import Fields
from lsr.sources.lines import MAX_DOCUMENT, SKIP_REMEDY, decode, numbered_lines


def read_csv(stream: io.BufferedReader, source: str, fields: Fields) -> Iterator[Document | MalformedDocumentError]:
    """The document of each row of a CSV file, or what is wrong with it."""
    lines = _Lines(stream, source)
    return _read(lines, csv.reader(lines, strict=True), fields)


def read_tsv(stream: io.BufferedReader, source: str, fields: Fields) -> Iterator[Document | MalformedDocumentError]:
    """The document of each row of a TSV file, or what is wrong with it."""
    lines = _Lines(stream, source)
    return _read(lines, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), fields)


class _Lines:
    """Decoded lines for the csv module, which cannot be told of a bad one: its error is kept until the row is whole."""

    def __init__(self, stream: io.BufferedReader, source: str) -> None:
        self.source = source
        self.number = 0
        self._error: MalformedDocumentError | None = None
        self._lines = numbered_lines(stream, source)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        entry = next(self._lines)
        if isinstance(entry, MalformedDocumentError):
            raise entry  # the line may have opened a quote: where the next row begins is unknown
        self.number, line = entry
        try:
            return decode(line, self.source, self.number)
        except MalformedDocumentError as error:
            self._error = self._error or error
            return line.decode(errors="replace")

    def take_error(self) -> MalformedDocumentError | None:
        """What was wrong with the lines since the last call."""
        error, self._error = self._error, None
        return error


def _read(lines: _Lines, rows: Iterator[list[str]], fields: Fields) -> Iterator[Document | MalformedDocumentError]:
    header: list[str] | None = None
    while True:
        start = lines.number + 1
        try:
            with _long_values():
                row = next(rows, None)
        except csv.Error as error:
            if "end of data" in str(error) or "field limit" in str(error):
                raise MalformedDocumentError(
                    lines.source, start, "a quote is opened that is not closed", remedy="Close it, or double the quote"
                ) from None
            malformed = MalformedDocumentError(lines.source, start, f"malformed CSV: {error}", remedy=SKIP_REMEDY)
            yield lines.take_error() or malformed
            continue
        if row is None:
            return
        if not row:  # a blank line
            continue
        bad_line = lines.take_error()
        if header is None:
            if bad_line:
                raise bad_line
            header = _header(row, lines.source)
            fields.check_columns(header, lines.source)
        elif bad_line:
            yield bad_line
        elif len(row) != len(header):
            yield MalformedDocumentError(
                lines.source, start, f"{len(row)} values where the header names {len(header)}", remedy=SKIP_REMEDY
            )
        else:
            try:
                yield fields.document(dict(zip(header, row, strict=True)), lines.source, start, line=start)
            except MalformedDocumentError as error:
                yield error


def _header(row: list[str], source: str) -> list[str]:
    """The names of the columns; one without a name (the row numbers of pandas) is called by its number."""
    names = [name.strip() or f"column {number}" for number, name in enumerate(row, 1)]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"{source}: two columns are called {name!r}", remedy="Rename one of them")
    return names


@contextmanager
def _long_values() -> Iterator[None]:
    """The csv module's limit on the length of a value belongs to the whole process: ours for a moment only."""
    before = csv.field_size_limit(MAX_DOCUMENT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
