"""`encoder.json`: lsr's own record of an encoder, for families that nobody publishes a format for.

::

    {"format": "lsr-encoder", "format_version": 1,
     "document": {"family": "sparterm", "folder": "importance", "options": {"gate_logit": 0.0}, "prompt": ""},
     "query": {"look_up": "idf.json"},
     "max_length": 256}

A side without a network is `{"look_up": FILE}`, or null for weights of 1. `query` left out: as documents. The families
`deepimpact` and `ngrams` are encoders with terms of their own; see `lsr.encoders.own_terms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsr.encoders.checkpoint import Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout, LookUp
from lsr.errors import CorruptionError, EncoderError

FILE_NAME, FORMAT, FORMAT_VERSION = "encoder.json", "lsr-encoder", 1


def read_record(folder: Path) -> Mapping[str, Any] | None:
    """The record of a folder, checked for format and version; None where there is none."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    record = read_json(path)
    if record.get("format") != FORMAT or record.get("format_version") != FORMAT_VERSION:
        raise EncoderError(
            f"{path} has the format {record.get('format')!r}, version {record.get('format_version')!r}; "
            f"{FORMAT!r}, version {FORMAT_VERSION}, is read",
            remedy="Use the version of lsr that wrote it",
        )
    return record


def read(checkpoint: Checkpoint) -> Layout | None:
    """None without an `encoder.json`."""
    record = read_record(checkpoint.folder)
    if record is None:
        return None
    path = checkpoint.folder / FILE_NAME
    if not isinstance(record.get("document"), Mapping):
        raise CorruptionError(path, "it does not say how documents are encoded (document)")
    document = _side(checkpoint, record["document"], path)
    query = _side(checkpoint, record["query"], path, document) if record.get("query") is not None else None
    length = record.get("max_length")
    return Layout("lsr (encoder.json)", checkpoint, document, query, None if length is None else int(length))


def _side(checkpoint: Checkpoint, record: Any, path: Path, document: Side | LookUp | None = None) -> Side | LookUp:
    if not isinstance(record, Mapping):
        raise CorruptionError(path, f"a side is {record!r}, not an object")
    folder = checkpoint.folder / str(record.get("folder", "."))
    found = Checkpoint(folder, str(folder.resolve()))
    prompt = str(record.get("prompt", ""))
    if "look_up" in record:
        if not found.tokenizer_files and document is not None:
            found = document.checkpoint
        found.check_tokenizer()
        table = record["look_up"]
        return LookUp(found, None if table is None else checkpoint.folder / str(table), prompt=prompt)
    family = record.get("family")
    if not isinstance(family, str):
        raise CorruptionError(path, "a side has neither a family nor a look_up")
    found.check()
    return Side(family, found, dict(record.get("options") or {}), prompt)
