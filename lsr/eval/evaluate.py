"""Evaluation of an index, or of an encoder by way of a temporary index: search every judged query, measure, say whence.

Knows the engine by its public words only. What cannot be measured well is said in `EvaluationResult.warnings`; what
cannot be measured at all raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.measures import DEFAULT_MEASURES, depth, measure_run, parse_measures
from lsr.eval.provenance import environment
from lsr.eval.runs import Run, write_run

if TYPE_CHECKING:
    from lsr.engine.index import Index

#: What a step is called, how much of it is done, and of how much (None where that is not known).
Progress = Callable[[str, int, int | None], None]

#: `impacts`: the engine's own search. `float`: its weights before quantisation, exhaustively, by SciPy.
Scoring = Literal["impacts", "float"]

#: Queries that are searched between two reports of progress.
_QUERIES = 256


class Searcher(Protocol):
    """What is evaluated: answers a batch of queries with (document id, score) pairs, best first."""

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int) -> list[list[tuple[str, float]]]: ...


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The figures of one system on one collection.

    `measures` are means over all `queries` judged queries; `per_query` has each of them; `run` is what was served, self
    matches removed; `warnings` tells what is odd about collection or index; `provenance` is a JSON object.
    """

    measures: dict[str, float]
    per_query: dict[str, dict[str, float]]
    queries: int
    run: Run
    provenance: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """`{"nDCG@10": …, "queries": n, "provenance": {…}}`: the JSON that `lsr eval --json` prints."""
        return {**self.measures, "queries": self.queries, "provenance": self.provenance}

    def write_run(self, path: str | Path) -> None:
        """The run as a TREC file that measures to the same figures everywhere."""
        write_run(path, self.run)


def evaluate_index(
    index: Index,
    collection: Collection,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k: int | None = None,
    threads: int = 1,
    scoring: Scoring = "impacts",
    progress: Progress | None = None,
    command: str | None = None,
    seed: int | None = None,
) -> EvaluationResult:
    """Search every judged query of a collection in an index that holds its documents, and measure.

    Parameters
    ----------
    index : Index
        Open; it is not changed.
    collection : Collection
        See `load_collection`.
    measures : sequence of str
        Names of ir_measures; `MRR@10` is understood.
    k : int, optional
        Hits a query; by default the largest cutoff, 100 at least.
    threads : int
        For the search; the figures do not depend on it.
    scoring : {"impacts", "float"}
        `float` searches the unquantised weights exhaustively: what the engine's 8 bits cost is the difference.
    progress : callable, optional
        Called as `progress("search", done, total)`.
    command : str, optional
        Recorded in the provenance; by default this process's command line.
    seed : int, optional
        Recorded in the provenance, where the caller used one.

    Raises
    ------
    EvaluationError
        Unknown measure; k below a cutoff; no judged document is in the index.
    MissingExtraError
        The extra `eval` is not installed.
    """
    k = _checked_depth(measures, k, scoring)
    warnings = [*collection.warnings, *_unindexed(index, collection)]
    system: Searcher = _searcher(index, scoring)
    started = time.perf_counter()
    run, blank = _search(system, collection, k, threads, progress)
    seconds = time.perf_counter() - started
    if blank:
        warnings.append(f"{len(blank)} judged queries are blank (first: {blank[0]!r}); they count as 0")
    scores = measure_run(run, collection.qrels, measures)
    provenance = environment(command=command, threads=threads, seed=seed)
    provenance["collection"] = describe_collection(collection)
    if provenance["collection"]["documents"] is None:
        provenance["collection"]["documents"] = len(index)
    provenance["system"] = {"scoring": scoring, "k": k, **_describe_index(index)}
    provenance["timings"] = {
        "search_seconds": round(seconds, 3),
        "queries_per_second": round(len(collection.queries) / seconds, 1) if seconds else None,
    }
    provenance["warnings"] = warnings
    return EvaluationResult(
        scores.mean, scores.per_query, len(collection.qrels), run, provenance, warnings=tuple(warnings)
    )


def describe_collection(collection: Collection) -> dict[str, Any]:
    """Name, origin, digests, counts and conventions of a collection, for provenance."""
    return {
        "name": collection.name,
        "split": collection.split,
        "location": collection.location,
        "digest": collection.digest(),
        "documents": collection.document_count,
        "queries": len(collection.qrels),
        "judgements": sum(map(len, collection.qrels.values())),
        "drop_self_matches": collection.drop_self_matches,
    }


def _describe_index(index: Index) -> dict[str, Any]:
    info = index.info().to_dict()
    info.pop("segments", None)
    return info


def _checked_depth(measures: Sequence[str], k: int | None, scoring: str) -> int:
    """How many hits a query to retrieve; raises where the three cannot be evaluated."""
    parsed = parse_measures(measures)
    if scoring not in ("impacts", "float"):
        raise InvalidSettingError(f"scoring is {scoring!r}", remedy="It is impacts or float")
    if k is None:
        return depth(parsed)
    for name, measure in parsed.items():
        if k < measure.params.get("cutoff", 1):
            raise EvaluationError(f"k is {k}, {name} needs more hits", remedy="Leave k out: it follows the measures")
    if k < 1:
        raise EvaluationError(f"k is {k}, it must be 1 or more")
    return k


def _searcher(index: Index, scoring: Scoring) -> Searcher:
    if scoring == "impacts":
        return index
    from lsr.eval.oracle import FloatSearcher

    return FloatSearcher(index)


def _unindexed(index: Index, collection: Collection) -> list[str]:
    """A warning where judged documents are not in the index; an error where none is."""
    judged = list(dict.fromkeys(document for row in collection.qrels.values() for document in row))
    missing = [document for document in judged if document not in index]
    if len(missing) == len(judged):
        raise EvaluationError(
            f"none of the {len(judged)} judged documents of {collection.name} is in the index {index.path}",
            remedy="Index the documents of the same collection, with their own ids",
        )
    if missing:
        return [
            f"{len(missing)} of {len(judged)} judged documents are not in the index (first: {missing[0]!r}); "
            "they count as not found"
        ]
    return []


def _search(
    system: Searcher, collection: Collection, k: int, threads: int, progress: Progress | None
) -> tuple[Run, list[str]]:
    """The run over all judged queries, and the ids of those that are blank and cannot be asked."""
    asked = [(query, text) for query, text in collection.queries.items() if text.strip()]
    blank = [query for query, text in collection.queries.items() if not text.strip()]
    spare = 1 if collection.drop_self_matches else 0
    run: Run = {}
    for start in range(0, len(asked), _QUERIES):
        part = asked[start : start + _QUERIES]
        answers = system.search_batch([text for _, text in part], k=k + spare, threads=threads)
        for (query, _), hits in zip(part, answers, strict=True):
            run[query] = [hit for hit in hits if not spare or hit[0] != query][:k]
        if progress:
            progress("search", start + len(part), len(asked))
    return run, blank


def evaluate_encoder(
    name: str,
    collection: Collection,
    *,
    settings: Mapping[str, str | int | float | bool | None] | None = None,
    query_idf: str | None = None,
    directory: str | Path | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k: int | None = None,
    threads: int = 1,
    scoring: Scoring = "impacts",
    progress: Progress | None = None,
    command: str | None = None,
    seed: int | None = None,
) -> EvaluationResult:
    """Index a collection with an encoder, then `evaluate_index`.

    Parameters
    ----------
    name, settings : str, mapping
        What `load_encoder` takes.
    query_idf : str, optional
        A setting of the index; the encoder's own choice by default.
    directory : str or Path, optional
        A folder in which the index is kept and found again: a second evaluation of the same collection with the same
        encoder and settings does not encode again, and an interrupted one goes on. By default the index is temporary.
    progress : callable, optional
        Called as `progress("index", done, total)`, then as `evaluate_index` does.

    The other parameters and the errors are those of `evaluate_index`, and those of the encoder.
    """
    from lsr.eval.indexing import indexed

    _checked_depth(measures, k, scoring)  # before minutes of encoding
    with indexed(name, collection, settings or {}, query_idf, directory, progress) as (index, report):
        result = evaluate_index(
            index,
            collection,
            measures=measures,
            k=k,
            threads=threads,
            scoring=scoring,
            progress=progress,
            command=command,
            seed=seed,
        )
    result.provenance["timings"].update(report.timings)
    result.provenance["warnings"].extend(report.warnings)
    return EvaluationResult(
        result.measures,
        result.per_query,
        result.queries,
        result.run,
        result.provenance,
        warnings=(*result.warnings, *report.warnings),
    )
