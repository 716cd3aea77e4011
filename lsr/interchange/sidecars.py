"""Text files beside a file of numbers: `FILE.ids.txt` with an id a line, `FILE.words.txt` with a word a line.

Line n, from 0, is row or column n. Knows nothing of the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lsr.errors import InvalidVectorsError, MalformedDocumentError, SourceError
from lsr.interchange.ids import UniqueIds, flaw_of_id
from lsr.interchange.streams import numbered_lines, open_stream
from lsr.interchange.vocabulary import Vocabulary


def sidecar(path: Path, kind: str) -> Path:
    """Where the `ids` or `words` of a file lie: `vectors.npz` has `vectors.npz.ids.txt`."""
    return path.with_name(f"{path.name}.{kind}.txt")


def read_words(path: Path) -> list[str]:
    """The words of the columns; `MalformedDocumentError` where one is empty or comes twice."""
    words: list[str] = []
    with open_stream(path, str(path)) as stream:
        for _, line in numbered_lines(stream, str(path)):
            words.append(line)
    try:
        Vocabulary(words)
    except InvalidVectorsError as error:
        raise MalformedDocumentError(str(path), None, error.message) from None
    return words


class RowIds:
    """The ids of rows, in step with a reader of rows.

    Parameters
    ----------
    path : Path or None
        The sidecar; None to number rows from 0.
    name : str
        The file of rows, for messages.
    """

    def __init__(self, path: Path | None, name: str) -> None:
        self._path = path
        self._name = name
        self._unique = UniqueIds()
        self._given = 0
        self._lines = None if path is None else self._read(path)

    def next(self, count: int) -> list[str]:
        """The ids of the next `count` rows."""
        start = self._given
        self._given += count
        if self._lines is None:
            return [str(row) for row in range(start, start + count)]
        ids = [line for _, line in zip(range(count), self._lines, strict=False)]
        if len(ids) < count:
            raise SourceError(f"{self._path} has {start + len(ids)} ids, {self._name} has more rows")
        if (again := self._unique.add(ids)) is not None:
            reason = f"the id {ids[again]!r} was given to an earlier row"
            raise MalformedDocumentError(str(self._path), start + again + 1, reason)
        return ids

    def finish(self) -> None:
        """`SourceError` where ids are left over."""
        if self._lines is not None and next(self._lines, None) is not None:
            raise SourceError(f"{self._path} has more ids than {self._name} has rows, which are {self._given}")

    @staticmethod
    def _read(path: Path) -> Iterator[str]:
        with open_stream(path, str(path)) as stream:
            for number, line in numbered_lines(stream, str(path)):
                if flaw := flaw_of_id(line):
                    raise MalformedDocumentError(str(path), number, f"the id {flaw}")
                yield line
