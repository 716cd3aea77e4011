"""A cross-encoder as a teacher: it reads query and document together, so it scores a query's own candidates only.

Knows which pairs may meet in a batch: positives, negatives of the rows, mined negatives. Scores are kept on disk in
parts, so that what was scored before an interruption is not scored again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.training.data.prepared import PreparedData
from lsr.training.teachers.base import Cache, Say, Teacher
from lsr.training.teachers.networks import PairNetwork, check_checkpoint, identity, weights_digest

#: Pairs of a part.
_PART = 1 << 15


class CrossEncoderTeacher(Teacher):
    """Logits of a `*ForSequenceClassification` for the candidates of each query; NaN for every other document.

    Parameters
    ----------
    data : PreparedData
        With its texts.
    name : str
    checkpoint : Path
    max_length : int
        Tokens of query and document together.

    Raises
    ------
    TrainingDataError
        The checkpoint is not there.
    """

    def __init__(self, data: PreparedData, name: str, checkpoint: Path, *, max_length: int) -> None:
        check_checkpoint(name, checkpoint)
        self.name = name
        self._data, self._checkpoint, self._max_length = data, checkpoint, max_length
        self._keys: NDArray[np.int64] | None = None
        self._found: NDArray[np.float32] | None = None

    def prepare(self, say: Say) -> None:
        """Nothing yet: `meet` says which pairs there are."""

    def meet(self, mined: Sequence[NDArray[np.int32]], say: Say) -> None:
        """Score what is not in the cache yet: every pair that a batch of this data may hold as a query's own."""
        self._keys = candidate_keys(self._data, mined)
        settings = {
            "kind": "cross-encoder",
            "max_length": self._max_length,
            "pairs": hashlib.sha256(self._keys.tobytes()).hexdigest(),
            **identity(self._checkpoint),
        }
        cache = Cache(self._data, self.name, settings, weights=weights_digest(self._checkpoint))
        starts = range(0, len(self._keys), _PART)
        todo = [start for start in starts if f"scores-{start}" not in cache]
        if todo:
            say(f"teacher {self.name}: scoring {len(self._keys):,} pairs")
            network = PairNetwork(self.name, self._checkpoint, self._max_length)
            queries, documents = self._data.texts("queries"), self._data.texts("documents")
            for start in todo:
                chosen = self._keys[start : start + _PART]
                numbers = zip(*(part.tolist() for part in np.divmod(chosen, len(documents))), strict=True)
                cache.save(f"scores-{start}", network.scores([(queries[q], documents[d]) for q, d in numbers]))
        self._found = np.concatenate([np.zeros(0, np.float32), *(cache.load(f"scores-{start}") for start in starts)])

    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self._keys is not None, "meet comes before batches"
        assert self._found is not None
        result = np.full((len(queries), len(documents)), np.nan, np.float32)
        if len(self._keys):
            wanted = queries[:, None] * len(self._data.documents) + documents[None, :]
            places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
            known = self._keys[places] == wanted
            result[known] = self._found[places[known]]
        return result


def candidate_keys(data: PreparedData, mined: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """int64 ndarray, ascending: query · documents + document of each positive, given negative and mined negative."""
    count = len(data.documents)
    pairs = np.concatenate([data.pairs, data.pseudo]).astype(np.int64)
    parts = [pairs[:, 0] * count + pairs[:, 1]]
    given = np.repeat(data.pairs[:, 0].astype(np.int64), data.negatives.lengths)
    parts.append(given * count + np.asarray(data.negatives.values, np.int64))
    for table in mined:
        rows, columns = np.nonzero(table >= 0)
        parts.append(rows.astype(np.int64) * count + table[rows, columns])
    return np.unique(np.concatenate(parts))
