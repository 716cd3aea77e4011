"""`Ragged`: rows of different lengths in one array on disk, mapped and not read until they are needed.

Knows arrays and files. Knows nothing of tokens or texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ragged:
    """n rows.

    Parameters
    ----------
    values : ndarray of shape (total,)
    offsets : int64 ndarray of shape (n + 1,)
        Row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 ndarray of shape (n,)."""
        return np.diff(self.offsets)

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]], dtype: type[np.generic] | np.dtype[Any]) -> Ragged:
        """From rows in memory."""
        parts = [np.asarray(row, dtype) for row in rows]
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(np.concatenate(parts) if parts else np.zeros(0, dtype), offsets)

    @classmethod
    def concat(cls, parts: Sequence[Ragged]) -> Ragged:
        """The rows of all parts, one after another."""
        shifts = np.cumsum([0] + [len(part.values) for part in parts])
        offsets = [np.zeros(1, np.int64)]
        offsets += [part.offsets[1:] + shift for part, shift in zip(parts, shifts, strict=False)]
        return cls(np.concatenate([part.values for part in parts]), np.concatenate(offsets))

    def save(self, folder: Path, name: str) -> None:
        """Two files, `name.npy` and `name.offsets.npy`."""
        np.save(folder / f"{name}.npy", self.values)
        np.save(folder / f"{name}.offsets.npy", self.offsets)

    @classmethod
    def load(cls, folder: Path, name: str) -> Ragged:
        """What `save` wrote; the values are mapped."""
        values = np.load(folder / f"{name}.npy", mmap_mode="r")
        return cls(values, np.load(folder / f"{name}.offsets.npy"))


class TextsWriter:
    """Texts to a file as they come: UTF-8 one after another, and offsets."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.offsets.npy"
        self._file = (folder / f"{name}.txt").open("wb")
        self._ends = [0]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, text: str) -> None:
        """Append one text."""
        self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "replace")))

    def close(self) -> None:
        """Finish both files."""
        self._file.close()
        np.save(self._path, np.array(self._ends, np.int64))


class Texts(Sequence[str]):
    """What a `TextsWriter` wrote, read on demand."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offsets = np.load(folder / f"{name}.offsets.npy")
        self._path = folder / f"{name}.txt"
        self._bytes: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int | slice) -> Any:
        if self._bytes is None:
            self._bytes = np.memmap(self._path, np.uint8, "r")
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        return bytes(self._bytes[self._offsets[row] : self._offsets[row + 1]]).decode("utf-8")
