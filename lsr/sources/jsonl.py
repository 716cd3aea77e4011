"""JSON Lines: one object a line. Blank lines are passed over. The corpus files of BEIR are of this form."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from lsr.documents import Document
from lsr.errors import MalformedDocumentError
from lsr.sources.fields import Fields
from lsr.sources.lines import SKIP_REMEDY, decode, numbered_lines
from lsr.sources.values import kind_of


def read_jsonl(stream: io.BufferedReader, source: str, fields: Fields) -> Iterator[Document | MalformedDocumentError]:
    """The document of each line, or what is wrong with it."""
    for entry in numbered_lines(stream, source):
        if isinstance(entry, MalformedDocumentError):
            yield entry
            continue
        number, line = entry
        try:
            text = decode(line, source, number).rstrip()
            if not text:
                continue
            yield fields.document(_parse(text, source, number), source, number, line=number)
        except MalformedDocumentError as error:
            yield error


def _parse(text: str, source: str, line: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"malformed JSON: {error.msg} at column {error.colno}"
        raise MalformedDocumentError(source, line, reason, remedy=SKIP_REMEDY) from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, a value nested too deeply
        raise MalformedDocumentError(source, line, f"malformed JSON: {error}", remedy=SKIP_REMEDY) from None
    return as_object(record, source, line)


def as_object(record: Any, source: str, line: int) -> dict[str, Any]:
    """The record itself where it is a JSON object, else an error that says what it is."""
    if not isinstance(record, dict):
        reason = f"a JSON object is expected, this is {kind_of(record)}"
        raise MalformedDocumentError(source, line, reason, remedy=SKIP_REMEDY)
    return record
