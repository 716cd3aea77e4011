"""Measures by ir_measures, under the names that people use, over every judged query.

Two conventions are kept here. The denominator is the number of queries in the judgements: one without an answer counts
0. And a run is measured in the order in which it was served: ir_measures is given falling numbers made from the ranks,
never the scores, because it would reorder ties by document id.

`R_cap@k` is BEIR's capped recall, which ir_measures does not have: relevant hits over min(k, relevant documents), so
that 1 can be reached where more are relevant than k (TREC-COVID). It is R@k times relevant / min(k, relevant).

Knows nothing of engines and files.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsr.errors import EvaluationError, MissingExtraError
from lsr.eval.collections.base import Qrels

#: What is measured unless somebody asks for something else.
DEFAULT_MEASURES = ("nDCG@10", "R@100", "MRR@10")

#: How capped recall is asked for; the rest of its name is R's.
CAPPED = "R_cap"

#: Hits that are retrieved at least, and for a measure without a cutoff (such as AP).
LEAST_DEPTH, OPEN_DEPTH = 100, 1000


@dataclass(frozen=True, slots=True)
class Scores:
    """`mean` over all judged queries, and the value of each query, by the names that were asked for."""

    mean: dict[str, float]
    per_query: dict[str, dict[str, float]]


def parse_measures(names: Sequence[str]) -> dict[str, Any]:
    """The measures by the names as given: any of ir_measures (`MRR@10` is its `RR@10`, `MAP` its `AP`), and `R_cap@k`.

    Raises
    ------
    EvaluationError
        An unknown or incomplete name, or a cutoff below 1 (the C library behind it dies of those).
    MissingExtraError
        ir_measures is not installed.
    """
    if not names:
        raise EvaluationError("no measure is asked for", remedy=f"Name some, such as {' '.join(DEFAULT_MEASURES)}")
    return {name: _parse(name) for name in names}


def depth(measures: Mapping[str, Any]) -> int:
    """How many hits a query the measures need: the largest cutoff, 100 at least, 1000 where a measure has none."""
    cutoffs: list[int] = [measure.params.get("cutoff", OPEN_DEPTH) for measure in measures.values()]
    return max([LEAST_DEPTH, *cutoffs])


def measure_run(
    run: Mapping[str, Sequence[tuple[str, float]]], qrels: Qrels, names: Sequence[str] = DEFAULT_MEASURES
) -> Scores:
    """Measure a run.

    Parameters
    ----------
    run : mapping of query id to (document id, score) pairs
        In served order; the scores are not looked at. Queries without judgements are left out.
    qrels : mapping of query id to document id to grade
        All its queries are in the denominator.
    names : sequence of str
        See `parse_measures`.

    Raises
    ------
    EvaluationError
        As `parse_measures`; no judgement at all; a document twice for a query; a measure that the installed providers
        of ir_measures cannot calculate.
    """
    measures = parse_measures(names)
    if not qrels:
        raise EvaluationError("there are no judgements to measure against")
    ranked = {query: _falling(query, hits) for query, hits in run.items() if hits and query in qrels}
    unique = list(dict.fromkeys(measures.values()))
    try:
        result = _library().calc(unique, qrels, ranked)
    except Exception as error:  # providers raise what they like: ValueError, CalledProcessError, TypeError
        raise EvaluationError(f"{', '.join(names)} cannot be calculated: {error}") from error
    values: dict[Any, dict[str, float]] = {measure: {} for measure in unique}
    for metric in result.per_query:
        values[metric.measure][metric.query_id] = float(metric.value)
    scores = Scores({}, {})
    for name, measure in measures.items():
        rows = {query: values[measure].get(query, float(measure.DEFAULT)) for query in qrels}
        mean = float(result.aggregated[measure])
        if _capped(name):
            rows = _cap(rows, qrels, measure)
            mean = sum(rows.values()) / len(rows)
        scores.per_query[name], scores.mean[name] = rows, mean
    return scores


def _capped(name: str) -> bool:
    return name.strip().startswith(CAPPED)


def _cap(recall: Mapping[str, float], qrels: Qrels, measure: Any) -> dict[str, float]:
    """Recall at a cutoff, per query, as capped recall."""
    cutoff, least = measure.params["cutoff"], measure.params.get("rel", 1)
    capped = {}
    for query, value in recall.items():
        relevant = sum(grade >= least for grade in qrels[query].values())
        capped[query] = value * relevant / min(cutoff, relevant) if relevant else 0.0
    return capped


def _falling(query: str, hits: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Served order as whole numbers from len(hits) down to 1, exact in float32 too."""
    ranked = {document: float(len(hits) - place) for place, (document, _) in enumerate(hits)}
    if len(ranked) < len(hits):
        raise EvaluationError(f"the run lists a document twice for the query {query!r}")
    return ranked


def _parse(name: str) -> Any:
    library = _library()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its parser uses ast.Num, deprecated since Python 3.12
            measure = library.parse_measure(name.strip().replace(CAPPED, "R", 1) if _capped(name) else name.strip())
        measure.validate_params()
    except NameError:
        known = list(library.measures.registry)
        near = difflib.get_close_matches(name.partition("@")[0].partition("(")[0], known, n=3, cutoff=0.4)
        remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known are {', '.join(DEFAULT_MEASURES)} and more"
        raise EvaluationError(f"there is no measure {name!r}", remedy=remedy) from None
    except (ValueError, AssertionError, TypeError) as error:
        raise EvaluationError(
            f"the measure {name!r} cannot be read: {error}", remedy="Write it as nDCG@10, MRR@10 or P(rel=2)@5"
        ) from None
    for parameter, least in (("cutoff", 1), ("rel", 1)):
        value = measure.params.get(parameter)
        if value is not None and (isinstance(value, bool) or value < least):
            raise EvaluationError(f"the measure {name!r} has the {parameter} {value}, it must be {least} or more")
    return measure


def _library() -> Any:
    try:
        import ir_measures
    except ModuleNotFoundError:
        raise MissingExtraError("evaluation", "eval") from None
    return ir_measures
