"""Evaluation of a system, an index, or an encoder by way of an index: answer every judged query, measure, say whence.

Knows systems by their protocol only. What cannot be measured well is said in `EvaluationResult.warnings`; what cannot
be measured at all raises.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.cost import Cost, measure_cost
from lsr.eval.frames import frame
from lsr.eval.measures import DEFAULT_MEASURES, depth, measure_run, parse_measures
from lsr.eval.provenance import environment
from lsr.eval.runs import Run, write_run
from lsr.eval.systems.base import Progress, System
from lsr.eval.systems.engine import IndexSystem, Scoring, check_options

if TYPE_CHECKING:
    from lsr.engine.index import Index
    from lsr.eval.indexing import IndexingReport

__all__ = [
    "EvaluationResult",
    "Progress",
    "Scoring",
    "evaluate_encoder",
    "evaluate_index",
    "evaluate_system",
    "with_indexing",
]


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The figures of one system on one collection.

    `measures` are means over all `queries` judged queries; `per_query` has each of them; `run` is what was served, self
    matches removed; `warnings` tells what is odd about collection or system; `provenance` is a JSON object; `cost` is
    there where it was asked for.
    """

    measures: dict[str, float]
    per_query: dict[str, dict[str, float]]
    queries: int
    run: Run
    provenance: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())
    cost: Cost | None = None

    def to_dict(self) -> dict[str, Any]:
        """`{"nDCG@10": …, "queries": n, "provenance": {…}}`: the JSON that `lsr eval --json` prints."""
        cost = {} if self.cost is None else {"cost": self.cost.to_dict()}
        return {**self.measures, "queries": self.queries, **cost, "provenance": self.provenance}

    def to_frame(self) -> Any:
        """A pandas DataFrame: one row a judged query (the index), one column a measure."""
        rows = {query: {name: row[query] for name, row in self.per_query.items()} for query in self._queries()}
        return frame(list(rows.values()), index=list(rows), index_name="query")

    def _queries(self) -> list[str]:
        return list(next(iter(self.per_query.values()), {}))

    def write_run(self, path: str | Path) -> None:
        """The run as a TREC file that measures to the same figures everywhere."""
        write_run(path, self.run)


def evaluate_system(
    system: System,
    collection: Collection,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k: int | None = None,
    threads: int = 1,
    cost: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
    seed: int | None = None,
) -> EvaluationResult:
    """Let a system answer every judged query of a collection, and measure.

    Parameters
    ----------
    system : System
        See `lsr.eval.systems`.
    collection : Collection
        See `load_collection`.
    measures : sequence of str
        Names of ir_measures; `MRR@10` and `R_cap@100` are understood.
    k : int, optional
        Hits a query; by default the largest cutoff, 100 at least.
    threads : int
        For the search; the figures do not depend on it.
    cost : bool
        Take latency, throughput and size too; see `lsr.eval.cost`.
    progress : callable, optional
        Called as `progress("search", done, total)`.
    command : str, optional
        Recorded in the provenance; by default this process's command line.
    seed : int, optional
        Recorded in the provenance, where the caller used one.

    Raises
    ------
    EvaluationError
        Unknown measure; k below a cutoff; system and collection have nothing in common.
    MissingExtraError
        The extra `eval` is not installed.
    """
    k = _checked_depth(measures, k)
    warnings = [*collection.warnings, *system.oddities(collection)]
    started = time.perf_counter()
    run, odd = system.answer(collection, k, threads, progress)
    seconds = time.perf_counter() - started
    warnings += odd
    scores = measure_run(run, collection.qrels, measures)
    provenance = environment(command=command, threads=threads, seed=seed)
    provenance["collection"] = describe_collection(collection)
    provenance["system"] = {"k": k, **system.describe()}
    if provenance["collection"]["documents"] is None:
        provenance["collection"]["documents"] = provenance["system"].get("documents")
    provenance["timings"] = {}
    if system.searcher is not None:
        provenance["timings"] = {
            "search_seconds": round(seconds, 3),
            "queries_per_second": round(len(collection.queries) / seconds, 1) if seconds else None,
        }
    provenance["warnings"] = warnings
    taken = measure_cost(system, list(collection.queries.values()), threads=threads) if cost else None
    return EvaluationResult(
        scores.mean, scores.per_query, len(collection.qrels), run, provenance, tuple(warnings), taken
    )


def evaluate_index(
    index: Index,
    collection: Collection,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k: int | None = None,
    threads: int = 1,
    scoring: Scoring = "impacts",
    options: Mapping[str, Setting] | None = None,
    cost: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
    seed: int | None = None,
) -> EvaluationResult:
    """Search every judged query of a collection in an index that holds its documents, and measure.

    Parameters
    ----------
    index : Index
        Open; it is not changed.
    scoring : {"impacts", "float"}
        `float` searches the unquantised weights exhaustively: what the engine's 8 bits cost is the difference.
    options : mapping, optional
        Options of the search by name: fields of `SearchOptions`, or `recall`.

    The other parameters and the errors are those of `evaluate_system`, and InvalidSettingError for an option that the
    search does not have.
    """
    _checked_depth(measures, k)
    _check_scoring(scoring)
    return evaluate_system(
        IndexSystem(index, scoring=scoring, options=options),
        collection,
        measures=measures,
        k=k,
        threads=threads,
        cost=cost,
        progress=progress,
        command=command,
        seed=seed,
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


def _checked_depth(measures: Sequence[str], k: int | None) -> int:
    """How many hits a query to retrieve; raises where the two cannot be evaluated."""
    parsed = parse_measures(measures)
    if k is None:
        return depth(parsed)
    for name, measure in parsed.items():
        if k < measure.params.get("cutoff", 1):
            raise EvaluationError(f"k is {k}, {name} needs more hits", remedy="Leave k out: it follows the measures")
    if k < 1:
        raise EvaluationError(f"k is {k}, it must be 1 or more")
    return k


def _check_scoring(scoring: str) -> None:
    if scoring not in ("impacts", "float"):
        raise InvalidSettingError(f"scoring is {scoring!r}", remedy="It is impacts or float")


def evaluate_encoder(
    name: str,
    collection: Collection,
    *,
    settings: Mapping[str, Setting] | None = None,
    query_idf: str | None = None,
    directory: str | Path | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k: int | None = None,
    threads: int = 1,
    scoring: Scoring = "impacts",
    options: Mapping[str, Setting] | None = None,
    cost: bool = False,
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

    _checked_depth(measures, k)  # before minutes of encoding
    _check_scoring(scoring)
    check_options(options or {}, scoring)
    with indexed(name, collection, settings or {}, query_idf, directory, progress) as (index, report):
        result = evaluate_index(
            index,
            collection,
            measures=measures,
            k=k,
            threads=threads,
            scoring=scoring,
            options=options,
            cost=cost,
            progress=progress,
            command=command,
            seed=seed,
        )
    return with_indexing(result, report)


def with_indexing(result: EvaluationResult, report: IndexingReport) -> EvaluationResult:
    """A result with what its index took to build, and what was odd about it."""
    result.provenance["timings"].update(report.timings)
    result.provenance["warnings"].extend(report.warnings)
    cost = result.cost
    if cost is not None:
        cost = replace(cost, encode_documents_per_second=report.documents_per_second)
    return replace(result, warnings=(*result.warnings, *report.warnings), cost=cost)
