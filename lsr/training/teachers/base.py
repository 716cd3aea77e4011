"""What a teacher is: scores of any queries for any documents of the prepared data, from what it computed once.

Knows numbers of queries and documents. Knows nothing of normalisation or losses.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import TrainingDataError
from lsr.training.data.prepared import PreparedData

Say = Callable[[str], None]
#: In a cache's folder: the digest of the weights that computed it.
_WEIGHTS = "weights.txt"


class Teacher(ABC):
    """Scores queries against documents.

    Attributes
    ----------
    name : str
    key : str
        Of one who ranks all documents: what its ranking depends on, short.
    """

    name: str
    key: str = ""

    @abstractmethod
    def prepare(self, say: Say) -> None:
        """Compute what is not in the cache yet. Called once, before batches are drawn."""

    def meet(self, mined: Sequence[NDArray[np.int32]], say: Say) -> None:  # noqa: B027
        """Called once after `prepare`, with the mined negatives: whoever scores single pairs does it now."""

    @abstractmethod
    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 ndarray of shape (Q, D); NaN where it has no score. Cheap, and callable in another process."""


class Cache:
    """Arrays of one teacher in the folder of the prepared data, written whole or not at all.

    Parameters
    ----------
    data : PreparedData
    name : str
        The teacher's.
    settings : JSON object
        What the arrays depend on; other settings are another folder.
    weights : str
        A digest of the teacher's weights. It is no part of the folder's name, so that arrays of earlier versions, which
        did not write it down, are found.

    Raises
    ------
    TrainingDataError
        What is in the folder was computed by other weights.
    """

    def __init__(self, data: PreparedData, name: str, settings: dict[str, Any], *, weights: str = "") -> None:
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = data.folder / f"teacher-{name}-{digest}"
        self._weights = weights
        written = self.folder / _WEIGHTS
        if written.is_file() and written.read_text() != weights:
            raise TrainingDataError(
                f"{self.folder} was computed by other weights than the teacher {name} has now",
                remedy=f"Remove {self.folder} to compute it anew",
            )

    def load(self, name: str) -> NDArray[Any]:
        """A mapped array."""
        found: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return found

    def __contains__(self, name: str) -> bool:
        return (self.folder / f"{name}.npy").is_file()

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Write aside, then rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._weights:
            (self.folder / _WEIGHTS).write_text(self._weights)
        descriptor, aside = tempfile.mkstemp(prefix=".writing-", suffix=".npy", dir=self.folder)
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, array)
        os.replace(aside, self.folder / f"{name}.npy")
