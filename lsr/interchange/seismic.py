"""Seismic's JSON Lines, `{"id", "vector": {word: weight}}`, as pyseismic-lsr's `SeismicIndex.build` takes them.

Its Python queries are arrays of strings of at most 30 characters: longer words are cut there, not in the file.
"""

from __future__ import annotations

from typing import BinaryIO

from lsr.interchange.format import Format, WriteTask
from lsr.interchange.json_lines import SUFFIXES, read_json_lines, write_json_lines


def _write(task: WriteTask, file: BinaryIO) -> float:
    return write_json_lines(task, file, {})


FORMAT = Format(
    name="seismic",
    description='Seismic\'s JSON Lines, {"id", "vector": {word: weight}}',
    suffixes=SUFFIXES,
    read=read_json_lines,
    write=_write,
    folder=True,
    settings=frozenset({"ceiling"}),
)
