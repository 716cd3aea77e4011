"""Records and small systems for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsr.eval.cost import Cost
from lsr.eval.records import Record


def record(
    system: str,
    name: str,
    values: Mapping[str, float] | Sequence[float],
    *,
    measure: str = "nDCG@10",
    cost: Cost | None = None,
    texts: Mapping[str, str] | None = None,
) -> Record:
    """A record of one measure."""
    rows = dict(values) if isinstance(values, Mapping) else {f"q{i}": float(v) for i, v in enumerate(values)}
    mean = sum(rows.values()) / len(rows)
    return Record(system, name, {measure: mean}, {measure: rows}, cost, dict(texts or {}))
