"""Rows of a pair file in, rows out: the texts numbered once, the result in its place only when it is whole.

Knows files and fields. Knows nothing of rankings or scores.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsr.errors import InvalidSettingError
from lsr.training.data.pairs import Pair, read_rows
from lsr.training.tables_data import Source


@dataclass(slots=True)
class Numbered:
    """Different texts, numbered in order of appearance."""

    texts: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Of a text; a new one gets the next."""
        found = self._numbers.setdefault(text, len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in its file, and where; its pair."""

    where: str
    record: dict[str, Any]
    pair: Pair


def load_rows(source: Source, folder: Path) -> list[Row]:
    """All rows, checked: TrainingDataError names the first that is malformed, by file and line."""
    return [Row(*found) for found in read_rows(source, folder)]


def check_target(target: Path) -> None:
    """Refuse, before any work, a file that is there already, or whose folder is not or takes no new file."""
    if target.exists():
        raise InvalidSettingError(f"{target} exists", remedy="Name a new file, or remove it")
    if not target.parent.is_dir():
        raise InvalidSettingError(f"the folder {target.parent} does not exist", remedy="Make it, or name another")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise InvalidSettingError(
            f"nothing can be written into {target.parent}: {error.strerror}", remedy="Name another folder"
        ) from None


@contextmanager
def written(target: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that appends one row as a line of JSON; `target` appears when the `with` ends well, never before.

    A name that ends in `.gz` is compressed.
    """
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    try:
        with aside.open("wb") as raw:
            packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else None
            text = io.TextIOWrapper(raw if packed is None else packed, encoding="utf-8")

            def put(record: dict[str, Any]) -> None:
                line = json.dumps(record, ensure_ascii=False)
                try:
                    line.encode("utf-8")
                except UnicodeEncodeError:  # half a UTF-16 pair, which JSON can spell and UTF-8 cannot
                    line = json.dumps(record)
                text.write(line + "\n")

            yield put
            text.flush()
            text.detach()
            if packed is not None:
                packed.close()
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
