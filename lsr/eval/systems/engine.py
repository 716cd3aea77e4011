"""An index of ours as a system, with whatever search options it takes.

Knows the engine by its public words only; options are passed on by name, and those that the engine does not have are
refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.runs import Run
from lsr.eval.systems.base import Progress, Searcher, Size, answer_all
from lsr.index.options import SearchOptions, for_recall

if TYPE_CHECKING:
    from lsr.engine.index import Index

#: `impacts`: the engine's own search. `float`: its weights before quantisation, exhaustively, by SciPy.
Scoring = Literal["impacts", "float"]


class IndexSystem:
    """An open index; a `System`. The index is not changed.

    Parameters
    ----------
    index : Index
    scoring : {"impacts", "float"}
    options : mapping, optional
        Fields of `SearchOptions` by name, or `recall`: a strategy, an approximation.

    Raises
    ------
    InvalidSettingError
        As `check_options`.
    """

    def __init__(
        self, index: Index, *, scoring: Scoring = "impacts", options: Mapping[str, Setting] | None = None
    ) -> None:
        self.index = index
        self.scoring = scoring
        self.options = dict(options or {})
        self._chosen = check_options(self.options, scoring)
        self._searcher: Searcher | None = None

    @property
    def searcher(self) -> Searcher:
        if self._searcher is None:
            if self.scoring == "float":
                from lsr.eval.oracle import FloatSearcher

                self._searcher = FloatSearcher(self.index)
            else:
                self._searcher = _WithOptions(self.index, self._chosen)
        return self._searcher

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        return answer_all(self.searcher, collection, k, threads, progress)

    def describe(self) -> dict[str, Any]:
        info = self.index.info().to_dict()
        info.pop("segments", None)
        how = {"options": self.options, "approximate": self._chosen.approximate} if self.options else {}
        return {"scoring": self.scoring, **how, **info}

    def oddities(self, collection: Collection) -> list[str]:
        """A warning where judged documents are not in the index; an error where none is."""
        judged = list(dict.fromkeys(document for row in collection.qrels.values() for document in row))
        missing = [document for document in judged if document not in self.index]
        if len(missing) == len(judged):
            raise EvaluationError(
                f"none of the {len(judged)} judged documents of {collection.name} is in the index {self.index.path}",
                remedy="Index the documents of the same collection, with their own ids",
            )
        if missing:
            return [
                f"{len(missing)} of {len(judged)} judged documents are not in the index (first: {missing[0]!r}); "
                "they count as not found"
            ]
        return []

    def size(self, queries: Sequence[str]) -> Size:
        info = self.index.info()
        flops, terms = query_cost(self.index, queries)
        return Size(
            documents=info.documents,
            postings=info.postings,
            index_bytes=info.segment_bytes,
            store_bytes=info.store_bytes,
            flops=flops,
            query_terms=terms,
        )


class _WithOptions:
    """`Index.search_batch` with its options given."""

    def __init__(self, index: Index, options: SearchOptions) -> None:
        self._index = index
        self._options = options

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int) -> list[list[tuple[str, float]]]:
        return self._index.search_batch(queries, k=k, threads=threads, options=self._options)


def check_options(options: Mapping[str, Setting], scoring: Scoring = "impacts") -> SearchOptions:
    """The options of a search by name: those of `SearchOptions`, or `recall` for its recommended approximate settings.

    Raises
    ------
    InvalidSettingError
        A name that the search does not have, an illegal value, `recall` beside others, or any with float scoring.
    """
    known = [field.name for field in fields(SearchOptions)]
    for name in options:
        if name not in (*known, "recall"):
            raise InvalidSettingError(
                f"the search has no option {name!r}", remedy=f"It has {', '.join((*known, 'recall'))}"
            )
    if options and scoring == "float":
        raise InvalidSettingError("float scoring is exhaustive, it has no search options", remedy="Leave them out")
    if "recall" in options:
        if len(options) > 1:
            raise InvalidSettingError("recall stands for all other search options", remedy="Leave the others out")
        return for_recall(str(options["recall"]))
    chosen: dict[str, Any] = dict(options)
    return SearchOptions(**chosen)


def query_cost(index: Index, queries: Sequence[str]) -> tuple[float | None, float | None]:
    """FLOPS and mean terms of the queries (blank ones left out), as `Size` defines them; None without any."""
    asked = [query for query in queries if query.strip()]
    documents = len(index)
    if not asked or not documents:
        return None, None
    weights = index.query_weights(asked)
    with index.snapshot() as snapshot:
        postings = int(snapshot.document_frequencies(weights.terms).sum())
    return postings / documents / len(asked), len(weights.terms) / len(asked)
