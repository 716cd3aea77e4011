"""Rankings of a pool of texts for many queries: through an index of ours, or by exact dense search.

Knows texts and their numbers. Knows nothing of positives, windows or files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsr.documents import Document
from lsr.training.offline.judges import DenseScorer, Judge, Moved, make_scorer

if TYPE_CHECKING:
    from lsr.engine.index import Index

#: Queries that are searched at a time.
_STEP = 512


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best texts of each query.

    numbers : int64 ndarray of shape (Q, k), best first, −1 beyond the last
    scores : float32 ndarray of shape (Q, k), 0 beyond the last
    """

    numbers: NDArray[np.int64]
    scores: NDArray[np.float32]


def rank(judge: Judge, queries: Sequence[str], pool: Sequence[str], k: int, max_length: int, moved: Moved) -> Ranked:
    """The k best texts of `pool` for each query.

    Parameters
    ----------
    judge : Judge
        bm25 or sparse: through an index in a temporary folder. dense: exactly, on a GPU or by faiss. A cross-encoder
        ranks nothing by itself: InvalidSettingError.
    queries, pool : sequences of str
    k : int
    max_length : int
        Tokens of a text that are read (not by bm25).
    moved : callable
    """
    k = min(k, len(pool))
    if judge.kind == "dense":
        return _by_embeddings(judge, queries, pool, k, max_length, moved)
    from lsr.engine.index import Index
    from lsr.engine.loading import LoadReport, load_documents

    def loaded(report: LoadReport) -> None:
        moved(f"{judge.name}: indexing", report.read, len(pool))

    settings = {} if judge.kind == "bm25" else {"max_length": max_length}
    encoder = "bm25" if judge.kind == "bm25" else judge.what
    documents = (Document(str(number), text) for number, text in enumerate(pool))
    with (
        tempfile.TemporaryDirectory(prefix="lsr-mine-") as scratch,
        Index.create(Path(scratch) / "index", encoder=encoder, encoder_settings=settings) as index,
    ):
        load_documents(index, documents, LoadReport(), progress=loaded)
        index.optimize()
        return rank_in(index, queries, k, None, moved)


def rank_in(index: Index, queries: Sequence[str], k: int, places: dict[str, int] | None, moved: Moved) -> Ranked:
    """The same in an open index; a document's number is what `places` has for its id, else the id itself is one."""
    numbers = np.full((len(queries), k), -1, np.int64)
    scores = np.zeros((len(queries), k), np.float32)
    for start in range(0, len(queries), _STEP):
        part = queries[start : start + _STEP]
        for row, hits in enumerate(index.search_batch(part, k=k), start):
            for column, (id, score) in enumerate(hits):
                numbers[row, column] = int(id) if places is None else places[id]
                scores[row, column] = score
        moved("searching", min(start + _STEP, len(queries)), len(queries))
    return Ranked(numbers, scores)


def _by_embeddings(
    judge: Judge, queries: Sequence[str], pool: Sequence[str], k: int, max_length: int, moved: Moved
) -> Ranked:
    from lsr.training.data.mining import nearest

    scorer = make_scorer(judge, max_length)
    assert isinstance(scorer, DenseScorer)
    asked, texts = scorer.embeddings(queries, moved), scorer.embeddings(pool, moved)
    moved("searching", 0, len(queries))
    numbers = nearest(asked, texts, k).astype(np.int64)
    scores = np.zeros(numbers.shape, np.float32)
    for row, chosen in enumerate(numbers):
        scores[row] = texts[chosen].astype(np.float32) @ asked[row].astype(np.float32)
    moved("searching", len(queries), len(queries))
    return Ranked(numbers, scores)
