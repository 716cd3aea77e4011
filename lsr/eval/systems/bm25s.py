"""bm25s, the Python BM25 library, as a system: an independent implementation, on our words or (analyzer `bm25s`) on its
own: stop-words out, words of one character out, Porter2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lsr.encoders.settings import Setting
from lsr.errors import InvalidSettingError, MissingExtraError
from lsr.eval.collections.base import Collection
from lsr.eval.indexing import IndexingReport
from lsr.eval.provenance import version
from lsr.eval.runs import Run
from lsr.eval.systems.base import Progress, Size, answer_all
from lsr.text import get_analyzer

#: Legal settings and their defaults. `lucene` is BM25's form in our own encoder.
_SETTINGS: dict[str, Setting] = {"k1": 0.9, "b": 0.4, "analyzer": "english", "method": "lucene"}


class Bm25sSystem:
    """A bm25s index in memory; a `System`. Ties come in order of insertion."""

    def __init__(self, retriever: Any, ids: Sequence[str], postings: int, settings: Mapping[str, Setting]) -> None:
        self._retriever = retriever
        self._ids = list(ids)
        self._postings = postings
        self._settings = dict(settings)
        self._words = words_by(str(settings["analyzer"]))
        self._place = {id: place for place, id in enumerate(ids)}

    @property
    def searcher(self) -> Bm25sSystem:
        return self

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int = 1) -> list[list[tuple[str, float]]]:
        """Documents of score above 0, best first. `threads` changes nothing: the library's own pool copies it."""
        answers: list[list[tuple[str, float]]] = []
        for query in queries:
            words = [word for word in self._words(query) if word in self._retriever.vocab_dict]
            if not words:
                answers.append([])
                continue
            scores = self._retriever.get_scores(words)
            met = np.flatnonzero(scores > 0)
            if len(met) > k:  # all that could be among the k best, ties included
                bound = np.partition(scores[met], len(met) - k)[len(met) - k]
                met = met[scores[met] >= bound]
            best = met[np.lexsort((met, -scores[met]))][:k]
            answers.append([(self._ids[place], float(scores[place])) for place in best])
        return answers

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        return answer_all(self, collection, k, threads, progress)

    def describe(self) -> dict[str, Any]:
        return {"engine": "bm25s", "version": version("bm25s"), "documents": len(self._ids), **self._settings}

    def oddities(self, collection: Collection) -> list[str]:
        return []

    def size(self, queries: Sequence[str]) -> Size:
        held = self._retriever.scores
        return Size(
            documents=len(self._ids),
            postings=self._postings,
            index_bytes=sum(int(held[name].nbytes) for name in ("data", "indices", "indptr")),
        )


def bm25s_system(
    collection: Collection, settings: Mapping[str, Setting], progress: Progress | None
) -> tuple[Bm25sSystem, IndexingReport]:
    """Index a collection with bm25s, words by our analyzer.

    Raises
    ------
    InvalidSettingError
        A setting that it does not have.
    MissingExtraError
        bm25s is not installed.
    """
    for name in settings:
        if name not in _SETTINGS:
            raise InvalidSettingError(f"bm25s has no setting {name!r}", remedy=f"It has {', '.join(_SETTINGS)}")
    try:
        import bm25s
    except ModuleNotFoundError:
        raise MissingExtraError("the system bm25s", "eval") from None
    chosen = {**_SETTINGS, **settings}
    started = time.perf_counter()
    words = words_by(str(chosen["analyzer"]))
    ids, rows, total = [], [], collection.document_count
    for document in collection.documents():
        ids.append(document.id)
        rows.append(words(document.content))
        if progress and len(ids) % 1000 == 0:
            progress("index", len(ids), total)
    retriever = bm25s.BM25(k1=chosen["k1"], b=chosen["b"], method=chosen["method"], backend="numpy")
    retriever.index(rows, show_progress=False)
    seconds = time.perf_counter() - started
    postings = sum(len(set(row)) for row in rows)
    timings = {"index_seconds": round(seconds, 3), "documents_per_second": round(len(ids) / seconds, 1)}
    report = IndexingReport(timings, (), timings["documents_per_second"])
    return Bm25sSystem(retriever, ids, postings, chosen), report


def words_by(analyzer: str) -> Callable[[str], list[str]]:
    """The words of a text by an analyzer of ours, or by bm25s's own."""
    if analyzer != "bm25s":
        return get_analyzer(analyzer).words
    import bm25s
    import Stemmer

    stem = Stemmer.Stemmer("english")

    def words(text: str) -> list[str]:
        found: list[str] = bm25s.tokenize([text], stopwords="en", stemmer=stem, return_ids=False, show_progress=False)[
            0
        ]
        return found

    return words
