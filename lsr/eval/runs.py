"""Runs: what a system answered, query by query, in the order in which it was served; and TREC's file of it.

The order is the truth, the score an ornament. trec_eval throws the rank column away and breaks ties by document id, so
a run with ties is measured in another order than the one that was served, and quantised scores tie all the time.
`write_run` therefore lowers a score that does not fall by one float32 step, which keeps the served order for every
reader of the file and changes no score by more than its ties take.

Knows nothing of judgements and measures.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lsr.errors import EvaluationError

#: Query id -> (document id, score), best first. A query without hits may be absent or empty.
Run = dict[str, list[tuple[str, float]]]


def write_run(path: str | Path, run: Mapping[str, Sequence[tuple[str, float]]], *, tag: str = "lsr") -> None:
    """Write `query Q0 document rank score tag`, rank from 1, scores falling strictly as float32.

    The file is there whole or not at all (written beside its place, then renamed).

    Raises
    ------
    EvaluationError
        An id is empty or has a blank in it (the format has no quoting), a document is listed twice for a query,
        a score is not finite, or the file cannot be written.
    """
    _check_field(tag, "the tag")
    target = Path(path)
    whole = not target.exists() or target.is_file()  # a pipe or /dev/stdout is written as it is
    place = target.with_name(f".{target.name}.{os.getpid()}.part") if whole else target
    try:
        with place.open("w", encoding="utf-8", newline="\n") as file:
            for query, hits in run.items():
                _check_field(query, "the query id")
                file.writelines(_lines(query, hits, tag))
            if whole:
                file.flush()
                os.fsync(file.fileno())
        if whole:
            place.replace(target)
    except OSError as error:
        raise EvaluationError(f"cannot write {target}: {error.strerror}") from None
    finally:
        if whole:
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)


def read_run(path: str | Path) -> Run:
    """The run of a TREC file, of ours or of anybody.

    Hits are ordered by falling score; where scores tie, by the rank column, which is the order that the system served.
    (trec_eval would order ties by document id; a file of `write_run` has none.)

    Raises
    ------
    EvaluationError
        No such file, no line in it, a line without six columns, a score or rank that is no number, a document twice for
        a query; the message names file and line.
    """
    found: dict[str, list[tuple[float, int, str]]] = {}
    seen: set[tuple[str, str]] = set()
    source = Path(path)
    try:
        with source.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                columns = line.split()
                where = f"{source}, line {number}"
                if len(columns) != 6:
                    raise EvaluationError(
                        f"{where}: {len(columns)} columns, a run has six", remedy="query Q0 document rank score tag"
                    )
                query, _, document, rank, score, _ = columns
                if (query, document) in seen:
                    raise EvaluationError(f"{where}: the document {document!r} is there twice for the query {query!r}")
                seen.add((query, document))
                found.setdefault(query, []).append((_number(score, where), _rank(rank, where), document))
    except OSError as error:
        raise EvaluationError(f"cannot read the run {source}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{source}: not UTF-8 ({error.reason})") from None
    if not found:
        raise EvaluationError(f"the run {source} is empty")
    return {
        query: [(document, score) for score, _, document in sorted(hits, key=lambda hit: (-hit[0], hit[1]))]
        for query, hits in found.items()
    }


def falling(scores: Sequence[float]) -> list[np.float32]:
    """The scores as float32, one that does not fall lowered to one step below the one before it.

    float32, because trec_eval and everything made of its code keep scores so: a smaller step would be a tie again.
    What is no finite number, or beyond float32, stays so.
    """
    found: list[np.float32] = []
    with np.errstate(over="ignore"):
        values = np.array(scores, np.float64).astype(np.float32)
    for value in values:
        if found and value >= found[-1] and np.isfinite(value):
            value = np.nextafter(found[-1], np.float32(-np.inf))
        found.append(value)
    return found


def _lines(query: str, hits: Sequence[tuple[str, float]], tag: str) -> list[str]:
    lines = []
    seen: set[str] = set()
    values = falling([score for _, score in hits])
    for rank, ((document, score), value) in enumerate(zip(hits, values, strict=True), 1):
        _check_field(document, "the document id")
        if document in seen:
            raise EvaluationError(f"the document {document!r} is there twice for the query {query!r}")
        seen.add(document)
        if not np.isfinite(value):
            raise EvaluationError(f"the document {document!r} has the score {score} for the query {query!r}")
        lines.append(f"{query} Q0 {document} {rank} {value!s} {tag}\n")
    return lines


def _check_field(value: str, what: str) -> None:
    if value.split() != [value]:
        raise EvaluationError(
            f"{what} {value!r} {'has a blank in it' if value else 'is empty'}, a TREC run cannot hold it",
            remedy="Rename it, or evaluate without writing a run",
        )


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EvaluationError(f"{where}: the score {text!r} is not a finite number")
    return value


def _rank(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise EvaluationError(f"{where}: the rank {text!r} is not a whole number") from None
