"""Bytes on their way to a segment: kept in memory up to a limit, in an unnamed file beyond it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Spool:
    """Arrays of one dtype, one after the other, of which parts are read back.

    Parameters
    ----------
    folder : Path
        Where the file is made, without a name, so that not even a crash leaves anything behind.
    limit : int
        Bytes that may stay in memory.
    """

    def __init__(self, folder: Path, dtype: DTypeLike, limit: int) -> None:
        self._folder = folder
        self._dtype = np.dtype(dtype)
        self._limit = limit
        self._parts: list[NDArray[Any]] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, array: NDArray[Any]) -> None:
        """Keep `array`, which the caller does not change any more."""
        self._length += len(array)
        if self._file is None:
            self._parts.append(array)
            self._held += array.nbytes
            if self._held > self._limit:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
                for part in self._parts:
                    self._file.write(part.data)
                self._parts = []
        else:
            self._file.write(np.ascontiguousarray(array).data)

    def array(self) -> NDArray[Any]:
        """Everything as one array; where it is in a file, a mapping of it. Nothing is appended after."""
        if self._length == 0:
            return np.zeros(0, self._dtype)
        if self._file is not None:
            self._file.flush()
            return np.asarray(np.memmap(self._file, self._dtype, mode="r", shape=(self._length,)))
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def close(self) -> None:
        """Let go of memory and file."""
        self._parts = []
        if self._file is not None:
            self._file.close()
            self._file = None
