"""Title and text as two fields: an index of each, and a document's score is the sum of both ("multifield").

The published BM25 multifield figures are made so (title weight 1, text weight 1). Exact: each field is asked for more
and more hits until no document outside can enter the best k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsr.documents import Document
from lsr.eval.collections.base import Collection
from lsr.eval.collections.derived import Derived
from lsr.eval.indexing import IndexingReport, indexed
from lsr.eval.runs import Run
from lsr.eval.systems.base import Progress, Searcher, Size, answer_all
from lsr.eval.systems.engine import IndexSystem

if TYPE_CHECKING:
    from lsr.eval.systems.spec import SystemSpec

#: Hits that a field is asked for at first, as a multiple of k.
_MORE = 4


class SummedSearcher:
    """The k best documents by the sum of their scores in several searchers over parts of the same documents.

    Parameters
    ----------
    parts : sequence of Searcher
        Scores are 0 or more; a document that a part does not find has 0 there.

    Equal sums come in order of document id, so that the answer does not depend on which part found a document first.
    """

    def __init__(self, parts: Sequence[Searcher]) -> None:
        self._parts = list(parts)

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int = 1) -> list[list[tuple[str, float]]]:
        """Source of the stopping rule: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", 2003."""
        answers: list[list[tuple[str, float]]] = [[] for _ in queries]
        open_ones, depth = list(range(len(queries))), _MORE * k
        while open_ones:
            found = [
                part.search_batch([queries[place] for place in open_ones], k=depth, threads=threads)
                for part in self._parts
            ]
            still = []
            for number, place in enumerate(open_ones):
                best, certain = summed([lists[number] for lists in found], k, depth)
                answers[place] = best
                if not certain:
                    still.append(place)
            open_ones, depth = still, depth * 4
        return answers


def summed(lists: Sequence[Sequence[tuple[str, float]]], k: int, depth: int) -> tuple[list[tuple[str, float]], bool]:
    """The k greatest sums that the lists show, and whether no document can do better than they tell.

    A list shorter than `depth` is complete. A document that another list lacks may have up to that list's last score.
    """
    # Invariant: `sums` never exceed the true sums, `sums + slack` never lie below them.
    unseen = [hits[-1][1] if len(hits) >= depth else 0.0 for hits in lists]
    sums: dict[str, float] = {}
    slack: dict[str, float] = {}
    for hits, last in zip(lists, unseen, strict=True):
        for document, score in hits:
            sums[document] = sums.get(document, 0.0) + score
            slack[document] = slack.get(document, sum(unseen)) - last
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    best = ranked[:k]
    if not any(unseen):
        return best, True
    kth = best[-1][1] if len(best) == k else 0.0
    certain = (
        len(best) == k
        and sum(unseen) < kth
        and all(slack[document] <= 1e-12 for document, _ in best)
        and all(score + slack[document] < kth for document, score in ranked[k:] if slack[document] > 1e-12)
    )
    return best, certain


class _FieldsSystem:
    """Several `IndexSystem`s, searched as one."""

    def __init__(self, parts: dict[str, IndexSystem]) -> None:
        self._parts = parts
        self.searcher = SummedSearcher([part.searcher for part in parts.values()])

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        return answer_all(self.searcher, collection, k, threads, progress)

    def describe(self) -> dict[str, Any]:
        return {"fields": {name: part.describe() for name, part in self._parts.items()}}

    def oddities(self, collection: Collection) -> list[str]:
        return []

    def size(self, queries: Sequence[str]) -> Size:
        sizes = [part.size(queries) for part in self._parts.values()]
        documents = max(size.documents or 0 for size in sizes)
        work = [(size.flops or 0.0) * (size.documents or 0) for size in sizes]
        return Size(
            documents=documents,
            postings=sum(size.postings or 0 for size in sizes),
            index_bytes=sum(size.index_bytes or 0 for size in sizes),
            store_bytes=sum(size.store_bytes or 0 for size in sizes),
            flops=sum(work) / documents if documents else None,
            query_terms=sum(size.query_terms or 0.0 for size in sizes),
        )


@contextmanager
def two_fields(
    spec: SystemSpec, collection: Collection, directory: str | Path | None, progress: Progress | None
) -> Iterator[tuple[_FieldsSystem, IndexingReport]]:
    """The system of a `title+text` specification. A collection without any title has one field."""
    titled = any(document.title.strip() for document in collection.documents())
    parts: dict[str, IndexSystem] = {}
    timings: dict[str, float] = {}
    with ExitStack() as stack:
        for name in ("title", "text") if titled else ("text",):
            one = Derived(collection, name, _only(name))
            index, report = stack.enter_context(
                indexed(spec.name, one, spec.settings, spec.query_idf, directory, progress)
            )
            parts[name] = IndexSystem(index, options=replace(spec).search)
            for key, value in report.timings.items():
                timings[key] = timings.get(key, 0.0) + value
        timings.pop("documents_per_second", None)
        notes = () if titled else (f"no document of {collection.name} has a title: one field is searched",)
        yield _FieldsSystem(parts), IndexingReport(timings, notes)


def _only(field: str) -> Any:
    def change(document: Document) -> Document:
        return Document(document.id, document.title if field == "title" else document.text)

    return change
