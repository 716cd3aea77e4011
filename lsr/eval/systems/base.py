"""What is evaluated: anything that answers the judged queries of a collection, and can say what it is and costs.

Knows the convention of self matches (one hit more is asked for, then the query's own document is dropped). Knows
nothing of measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lsr.eval.collections.base import Collection
from lsr.eval.runs import Run

#: What a step is called, how much of it is done, and of how much (None where that is not known).
Progress = Callable[[str, int, int | None], None]

#: Queries that are searched between two reports of progress.
_QUERIES = 256


class Searcher(Protocol):
    """Answers a batch of queries with (document id, score) pairs, best first."""

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int) -> list[list[tuple[str, float]]]: ...


@dataclass(frozen=True, slots=True)
class Size:
    """How large a system's index is; None where that is not known.

    documents : documents that can be found
    postings : (term, document) pairs
    index_bytes : what a search reads, on disk; without the stored texts
    store_bytes : everything else that is kept
    flops : postings that a query's terms have, over documents, mean over the judged queries: the FLOPS of
        Paria et al., "Minimizing FLOPs to Learn Efficient Sparse Representations", 2020
    query_terms : mean number of a query's terms that some document has
    """

    documents: int | None = None
    postings: int | None = None
    index_bytes: int | None = None
    store_bytes: int | None = None
    flops: float | None = None
    query_terms: float | None = None


class System(Protocol):
    """A retriever over the documents of one collection."""

    @property
    def searcher(self) -> Searcher | None:
        """What can be asked a text; None for a run that was made elsewhere, whose time cannot be taken."""

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        """The run over all judged queries, self matches dropped where the collection says so, at most k hits a query;
        and what was odd, one sentence each.
        """

    def describe(self) -> dict[str, Any]:
        """Settings, versions and fingerprints that make the run again, as JSON."""

    def oddities(self, collection: Collection) -> list[str]:
        """What is odd between this system and that collection; raises where the two do not go together at all."""

    def size(self, queries: Sequence[str]) -> Size:
        """How large it is; `queries` are the texts over which `flops` is taken."""


def answer_all(
    searcher: Searcher, collection: Collection, k: int, threads: int, progress: Progress | None
) -> tuple[Run, list[str]]:
    """The run of all judged queries, in batches; `System.answer` of everything that can be asked a text."""
    asked = [(query, text) for query, text in collection.queries.items() if text.strip()]
    blank = [query for query, text in collection.queries.items() if not text.strip()]
    spare = 1 if collection.drop_self_matches else 0
    run: Run = {}
    for start in range(0, len(asked), _QUERIES):
        part = asked[start : start + _QUERIES]
        answers = searcher.search_batch([text for _, text in part], k=k + spare, threads=threads)
        for (query, _), hits in zip(part, answers, strict=True):
            run[query] = without_self(query, hits, k) if spare else hits[:k]
        if progress:
            progress("search", start + len(part), len(asked))
    odd = []
    if blank:
        odd.append(f"{len(blank)} judged queries are blank (first: {blank[0]!r}); they count as 0")
    return run, odd


def without_self(query: str, hits: Sequence[tuple[str, float]], k: int) -> list[tuple[str, float]]:
    """At most k hits, none of which is the query itself."""
    return [hit for hit in hits if hit[0] != query][:k]
