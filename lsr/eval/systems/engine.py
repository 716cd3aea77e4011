"""An index of ours as a system, with whatever search options it takes.

Knows the engine by its public words only; options are passed on by name, and those that the engine does not have are
refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.runs import Run
from lsr.eval.systems.base import Progress, Searcher, Size, answer_all

if TYPE_CHECKING:
    from lsr.engine.index import Index

#: `impacts`: the engine's own search. `float`: its weights before quantisation, exhaustively, by SciPy.
Scoring = Literal["impacts", "float"]

#: What this room says itself to `Index.search_batch`.
_OURS = {"self", "queries", "k", "threads"}


class IndexSystem:
    """An open index; a `System`. The index is not changed.

    Parameters
    ----------
    index : Index
    scoring : {"impacts", "float"}
    options : mapping, optional
        Further keyword arguments of `Index.search_batch`: a strategy, an approximation.

    Raises
    ------
    InvalidSettingError
        An option that `Index.search_batch` does not have, or one with float scoring, which has none.
    """

    def __init__(
        self, index: Index, *, scoring: Scoring = "impacts", options: Mapping[str, Setting] | None = None
    ) -> None:
        self.index = index
        self.scoring = scoring
        self.options = check_options(options or {}, scoring)
        self._searcher: Searcher | None = None

    @property
    def searcher(self) -> Searcher:
        if self._searcher is None:
            if self.scoring == "float":
                from lsr.eval.oracle import FloatSearcher

                self._searcher = FloatSearcher(self.index)
            else:
                self._searcher = _WithOptions(self.index, self.options)
        return self._searcher

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        return answer_all(self.searcher, collection, k, threads, progress)

    def describe(self) -> dict[str, Any]:
        info = self.index.info().to_dict()
        info.pop("segments", None)
        return {"scoring": self.scoring, **({"options": self.options} if self.options else {}), **info}

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
    """`Index.search_batch` with some of its arguments given."""

    def __init__(self, index: Index, options: Mapping[str, Setting]) -> None:
        self._search: Any = index.search_batch
        self._options = dict(options)

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int) -> list[list[tuple[str, float]]]:
        found: list[list[tuple[str, float]]] = self._search(queries, k=k, threads=threads, **self._options)
        return found


def check_options(options: Mapping[str, Setting], scoring: Scoring = "impacts") -> dict[str, Setting]:
    """The options where the engine knows them all, else `InvalidSettingError`."""
    from lsr.engine.index import Index

    known = [name for name in inspect.signature(Index.search_batch).parameters if name not in _OURS]
    for name in options:
        if name not in known:
            raise InvalidSettingError(
                f"the search has no option {name!r}",
                remedy=f"It has {', '.join(known)}" if known else "It has none beyond k and threads",
            )
    if options and scoring == "float":
        raise InvalidSettingError("float scoring is exhaustive, it has no search options", remedy="Leave them out")
    return dict(options)


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
