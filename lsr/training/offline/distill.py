"""Scores of an ensemble of teachers for the rows of a file: of each positive, then of each negative.

Knows rows and arrays of scores. Who scores is known next door.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, TrainingDataError
from lsr.training.offline.files import Numbered, check_target, load_rows, written
from lsr.training.offline.judges import Judge, Moved, check_scores, make_scorer
from lsr.training.tables_data import Source
from lsr.training.teachers.ensemble import min_max

NORMALISE = ("minmax", "none")


@dataclass(frozen=True, slots=True)
class DistillReport:
    """rows; rows without negatives, which got no scores; scores that were written; share of the scored rows whose
    positive has the greatest score.
    """

    rows: int
    without: int
    scores: int
    positive_first: float


def distill_scores(
    pairs: Source,
    target: Path,
    teachers: Sequence[Judge],
    *,
    normalise: str = "minmax",
    scale: float = 1.0,
    max_length: int = 256,
    moved: Moved = lambda what, done, total: None,
    folder: Path = Path(),
) -> DistillReport:
    """Write the rows of `pairs` with the teachers' scores in their field `scores`; all other fields stay.

    Parameters
    ----------
    pairs : Source
        Any source of training pairs; its rows are held in memory.
    target : Path
        A JSONL file that does not exist yet; it appears when it is whole.
    teachers : sequence of Judge
        Their weighted mean is written; scores that a row has are replaced.
    normalise : "minmax" or "none"
        minmax: each teacher's scores of a row go from 0 to 1 before they are averaged; a row without negatives gets no
        scores. none: raw scores.
    scale : float
        What the mean is multiplied by.
    max_length : int
        Tokens of a text that networks read; of both texts together for a cross-encoder.
    moved : callable
        Is told what is done and how far it is.
    folder : Path
        What a relative path of `pairs` is relative to.

    Raises
    ------
    TrainingDataError
        A malformed row, no row with negatives, or a teacher that cannot be used; nothing is written.
    InvalidSettingError
        `target` is there already, no teacher is given, or an option is outside its legal values.
    """
    check_target(target)
    if not teachers:
        raise InvalidSettingError("no teacher is given", remedy="Name one at least: bm25, dense:FOLDER, …")
    if normalise not in NORMALISE:
        raise InvalidSettingError(f"normalise is {normalise!r}, it must be minmax or none")
    if not 0 < scale < float("inf"):
        raise InvalidSettingError(f"scale is {scale:g}, it must be above 0")
    rows = load_rows(pairs, folder)
    queries, texts = Numbered(), Numbered()
    numbers, offsets = [], [0]
    for row in rows:
        if row.pair.negatives or normalise == "none":
            query = queries.number(row.pair.query)
            numbers += [(query, texts.number(text)) for text in (row.pair.positive, *row.pair.negatives)]
        offsets.append(len(numbers))
    if not numbers:
        raise TrainingDataError(
            f"no row of {pairs.path} has negatives to compare its positive with",
            remedy="Mine some first (lsr mine), or write raw scores (--normalise none)",
        )
    asked = np.array(numbers, np.int64)
    total = np.zeros(len(asked), np.float64)
    for teacher in teachers:
        # One at a time: several networks need not fit into memory together.
        found = make_scorer(teacher, max_length).scores(queries.texts, texts.texts, asked, moved)
        check_scores(teacher, found)
        total += teacher.weight * (_by_row(found, offsets) if normalise == "minmax" else found)
    total *= scale / sum(teacher.weight for teacher in teachers)
    first = without = 0
    with written(target) as put:
        for row, start, stop in zip(rows, offsets[:-1], offsets[1:], strict=True):
            record = {key: value for key, value in row.record.items() if key != pairs.scores}
            if start == stop:
                without += 1
                put(record)
                continue
            part = [round(float(score), 6) for score in total[start:stop]]
            first += part[0] == max(part)
            put({**record, pairs.scores: part})
    return DistillReport(len(rows), without, len(asked), first / (len(rows) - without))


def _by_row(scores: NDArray[np.float32], offsets: Sequence[int]) -> NDArray[np.float32]:
    """Each row's scores from 0 to 1."""
    result = np.empty_like(scores)
    for start, stop in pairwise(offsets):
        if stop > start:
            result[start:stop] = min_max(scores[None, start:stop])[0]
    return result
