"""Scores that the training rows bring along as a teacher: those of a cross-encoder, as a rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsr.errors import TrainingDataError
from lsr.training.data.prepared import PreparedData
from lsr.training.teachers.base import Say, Teacher


class GivenScores(Teacher):
    """The rows' own scores of a query's positive and negatives; NaN for every other document.

    Parameters
    ----------
    data : PreparedData
    name : str

    Raises
    ------
    TrainingDataError
        No row has scores.
    """

    def __init__(self, data: PreparedData, name: str) -> None:
        if not len(data.scores.values):
            raise TrainingDataError(
                f"the teacher {name} takes the rows' own scores, and no row has any",
                remedy="Add them (lsr distill-scores) or take the teacher out",
            )
        self.name = name
        self._data = data
        self._known: dict[int, dict[int, float]] | None = None

    def prepare(self, say: Say) -> None:
        """Nothing is computed."""

    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._known is None:
            self._known = self._collect()
        found = np.full((len(queries), len(documents)), np.nan, np.float32)
        for row, query in enumerate(queries.tolist()):
            known = self._known.get(query, {})
            for column, document in enumerate(documents.tolist()):
                if document in known:
                    found[row, column] = known[document]
        return found

    def _collect(self) -> dict[int, dict[int, float]]:
        known: dict[int, dict[int, float]] = {}
        for number in np.flatnonzero(self._data.scores.lengths).tolist():
            query, positive, _ = self._data.pairs[number].tolist()
            candidates = [positive, *self._data.negatives[number].tolist()]
            known.setdefault(query, {}).update(zip(candidates, self._data.scores[number].tolist(), strict=True))
        return known
