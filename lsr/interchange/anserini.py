"""Anserini's JSON vectors: `{"id", "contents", "vector": {word: weight}}`, documents or queries.

Anserini reads weights as integers: write with a `ceiling`, or weights that are whole, for it.
"""

from __future__ import annotations

from typing import BinaryIO

from lsr.interchange.format import Format, WriteTask
from lsr.interchange.json_lines import SUFFIXES, read_json_lines, write_json_lines


def _write(task: WriteTask, file: BinaryIO) -> float:
    return write_json_lines(task, file, {"contents": ""})


FORMAT = Format(
    name="anserini",
    description='Anserini\'s JSON vectors, {"id", "contents", "vector": {word: weight}} a line; a file or a folder',
    suffixes=SUFFIXES,
    read=read_json_lines,
    write=_write,
    folder=True,
    settings=frozenset({"ceiling"}),
)
