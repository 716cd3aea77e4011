"""A run that was made elsewhere, read from a TREC file, as a system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsr.errors import EvaluationError
from lsr.eval.collections.base import Collection
from lsr.eval.runs import Run, read_run
from lsr.eval.systems.base import Progress, Size, without_self


class RunSystem:
    """The hits of a TREC file; a `System` whose time cannot be taken.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    EvaluationError
        As `read_run`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.run = read_run(self.path)

    @property
    def searcher(self) -> None:
        return None

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        run: Run = {}
        for query, hits in self.run.items():
            if query in collection.qrels:
                run[query] = without_self(query, hits, k) if collection.drop_self_matches else hits[:k]
        odd = []
        absent = sum(query not in run for query in collection.qrels)
        if absent:
            odd.append(f"{absent} judged queries are not in the run; they count as 0")
        if unjudged := len(self.run) - len(run):
            odd.append(f"{unjudged} queries of the run are not judged; they are left out")
        return run, odd

    def describe(self) -> dict[str, Any]:
        return {"run": str(self.path)}

    def oddities(self, collection: Collection) -> list[str]:
        if not self.run.keys() & collection.qrels.keys():
            raise EvaluationError(
                f"no query of the run {self.path} is judged in {collection.name}",
                remedy="Name the collection that the run was made on",
            )
        return []

    def size(self, queries: Sequence[str]) -> Size:
        return Size()
