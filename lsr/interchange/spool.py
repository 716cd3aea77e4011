"""`Spool`: postings that come in one order and are taken out in another, in bounded memory.

What does not fit in memory goes as sorted runs to one temporary file, which has no name and so goes with the process.
Knows nothing of documents, terms or formats.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lsr.interchange.targets import named_refusals

_RECORD = 12
#: Bytes a record takes while it is sorted: itself, its copies, and the permutation.
_SORTING = 3
#: What a small array costs beside its data.
_OVERHEAD = 400

Columns = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[Any]]


class Spool:
    """Records of a uint32 key, a uint32 and a 32-bit value.

    Parameters
    ----------
    value : dtype
        uint32 or float32.
    folder : Path or None
        Where the temporary file lies; None for the system's folder.
    memory : int
        Bytes to hold before a run is sorted and written.
    """

    def __init__(self, value: type[np.uint32] | type[np.float32], folder: Path | None, memory: int) -> None:
        self._value = np.dtype(value)
        self._folder = folder
        self._budget = max(memory // _SORTING, _RECORD)
        self._held: list[Columns] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._runs: list[Columns] = []
        self._places: list[tuple[int, int]] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, keys: NDArray[np.uint32], seconds: NDArray[np.uint32], values: NDArray[Any]) -> None:
        """Take records in; records of one key come out in the order in which they went in. The arrays are kept."""
        if not len(keys):
            return
        self._held.append((keys, seconds, values))
        self._bytes += _RECORD * len(keys) + _OVERHEAD
        if self._bytes >= self._budget:
            self._write_run()

    def finish(self) -> None:
        """No more records come; those taken in can be read."""
        if self._file is None:
            if self._held:
                self._runs = [self._sorted()]
            return
        self._write_run()
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        for offset, count in self._places:
            keys = np.frombuffer(self._map, np.uint32, count, offset)
            seconds = np.frombuffer(self._map, np.uint32, count, offset + 4 * count)
            self._runs.append((keys, seconds, np.frombuffer(self._map, self._value, count, offset + 8 * count)))

    def runs(self) -> Iterator[Columns]:
        """All records, run by run."""
        return iter(self._runs)

    def between(self, low: int, high: int) -> Columns:
        """The records of keys low to high, both included, by key."""
        parts = []
        for keys, seconds, values in self._runs:
            start = int(np.searchsorted(keys, np.uint32(low), side="left"))
            stop = int(np.searchsorted(keys, np.uint32(high), side="right"))
            if start < stop:
                parts.append((keys[start:stop], seconds[start:stop], values[start:stop]))
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, self._value)
        keys, seconds, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        if low == high:
            return keys, seconds, values
        order = np.argsort(keys, kind="stable")
        return keys[order], seconds[order], values[order]

    def close(self) -> None:
        """Give memory and the temporary file back; arrays that were taken out of the spool keep its mapping alive."""
        self._held, self._runs = [], []
        if self._map is not None:
            try:
                self._map.close()
            except BufferError:
                del self._map
            self._map = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _sorted(self) -> Columns:
        keys, seconds, values = (np.concatenate(column) for column in zip(*self._held, strict=True))
        self._held, self._bytes = [], 0
        if (keys[1:] >= keys[:-1]).all():
            return keys, seconds, values
        order = np.argsort(keys, kind="stable")
        return keys[order], seconds[order], values[order]

    def _write_run(self) -> None:
        if not self._held:
            return
        columns = self._sorted()
        with named_refusals(self._folder or Path(tempfile.gettempdir())):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - `close` closes it
            self._places.append((self._file.tell(), len(columns[0])))
            for column in columns:
                self._file.write(np.ascontiguousarray(column).view(np.uint8).data)
