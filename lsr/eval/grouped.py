"""A set of parts (CQADupStack's twelve forums) as one result: the plain mean of the parts' means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lsr.errors import EvaluationError
from lsr.eval.collections.known import BEIR, short_name
from lsr.eval.evaluate import EvaluationResult


def parts_of(source: str) -> dict[str, str]:
    """Short name -> source of each part of a set of parts; empty for every other collection.

    Raises
    ------
    EvaluationError
        A folder of such a set in which parts are missing.
    """
    place = Path(source)
    name = place.resolve().name if place.is_dir() else short_name(source)
    known = BEIR.get(name)
    if known is None or not known.parts or (place / "qrels").is_dir():
        return {}
    if not place.is_dir():
        return {f"{name}/{part}": f"{known.identifier}/{part}" for part in known.parts}
    missing = [part for part in known.parts if not (place / part / "qrels").is_dir()]
    if missing:
        raise EvaluationError(
            f"{place} lacks {len(missing)} of the {len(known.parts)} parts of {name}: {', '.join(missing)}",
            remedy="The published figure is the mean of all of them; a single one can be named by its own folder",
        )
    return {f"{name}/{part}": str(place / part) for part in known.parts}


def combine(parts: Mapping[str, EvaluationResult], name: str) -> EvaluationResult:
    """One result of the results of parts: ids of queries get `part/` before them; costs are left to the parts."""
    first = next(iter(parts.values()))
    collections = [result.provenance["collection"] for result in parts.values()]
    counts = {
        field: sum(collection[field] or 0 for collection in collections)
        for field in ("documents", "queries", "judgements")
    }
    provenance = {
        **first.provenance,
        "collection": {**collections[0], "name": name, "digest": {}, "parts": collections, **counts},
        "timings": {part: result.provenance["timings"] for part, result in parts.items()},
        "warnings": [f"{part}: {warning}" for part, result in parts.items() for warning in result.warnings],
    }
    return EvaluationResult(
        {measure: sum(r.measures[measure] for r in parts.values()) / len(parts) for measure in first.measures},
        {
            measure: {f"{part}/{q}": v for part, r in parts.items() for q, v in r.per_query[measure].items()}
            for measure in first.measures
        },
        sum(result.queries for result in parts.values()),
        {f"{part}/{query}": hits for part, r in parts.items() for query, hits in r.run.items()},
        provenance,
        tuple(provenance["warnings"]),
    )
