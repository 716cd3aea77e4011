"""Averages over sets, each under a name that says which sets it takes; and CQADupStack's twelve forums as one set.

An average is given only over sets that every one of the systems was run on: otherwise it would compare different sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsr.eval.collections.known import AVERAGES, BEIR
from lsr.eval.records import Record


@dataclass(frozen=True, slots=True)
class Average:
    """Unweighted mean over `sets`, by system."""

    name: str
    sets: tuple[str, ...]
    values: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {"average": self.name, "sets": list(self.sets), "values": self.values}


def averages_of(values: Mapping[str, Mapping[str, float]], sets: Sequence[str]) -> list[Average]:
    """The averages that can be taken.

    Parameters
    ----------
    values : mapping of system to set to value
    sets : sequence of str
        In order.

    Returns
    -------
    list of Average
        Those that publications take, for the systems that have all of their sets; then the mean over the sets that all
        systems have, where there are two or more and it is none of the former.
    """
    found = []
    for name, members in AVERAGES.items():
        whole = {s: _mean([v[m] for m in members]) for s, v in values.items() if all(m in v for m in members)}
        if whole:
            found.append(Average(name, members, whole))
    common = tuple(name for name in sets if all(name in row for row in values.values()))
    taken = [set(average.sets) for average in found if len(average.values) == len(values)]
    if len(common) > 1 and set(common) not in taken:
        rows = {system: _mean([row[name] for name in common]) for system, row in values.items()}
        found.append(Average(f"mean of {len(common)} sets ({', '.join(common)})", common, rows))
    return found


def fold_parts(
    records: Mapping[tuple[str, str], Record],
) -> tuple[dict[tuple[str, str], Record], tuple[str, ...]]:
    """Records by (set, system), with the parts of a set (`cqadupstack/android`, …) folded to one record where all parts
    are there; and what was not folded, said.

    The folded figure is the plain mean of the parts' means, as BEIR takes it. Its queries are those of all parts; the
    mean over them is another figure, so tests over them weigh large forums more.
    """
    folded: dict[tuple[str, str], Record] = {}
    notes: list[str] = []
    for (name, system), record in records.items():
        whole = name.partition("/")[0]
        if whole not in BEIR or not BEIR[whole].parts or "/" not in name:
            folded[name, system] = record
            continue
        parts = [records.get((f"{whole}/{part}", system)) for part in BEIR[whole].parts]
        there = [part for part in parts if part is not None]
        if len(there) == len(parts):
            folded.setdefault((whole, system), _fold(whole, there))
        else:
            folded[name, system] = record
            note = f"{system} was run on {len(there)} of the {len(parts)} parts of {whole}: it is in no average"
            if note not in notes:
                notes.append(note)
    return folded, tuple(notes)


def _fold(name: str, parts: Sequence[Record]) -> Record:
    first = parts[0]
    measures = [measure for measure in first.measures if all(measure in part.measures for part in parts)]
    return Record(
        first.system,
        name,
        {measure: _mean([part.measures[measure] for part in parts]) for measure in measures},
        {
            measure: {f"{part.set}/{query}": v for part in parts for query, v in part.per_query[measure].items()}
            for measure in measures
        },
        texts={f"{part.set}/{query}": text for part in parts for query, text in part.texts.items()},
        provenance={"parts": [part.provenance for part in parts]},
        warnings=tuple(f"{part.set}: {warning}" for part in parts for warning in part.warnings),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
