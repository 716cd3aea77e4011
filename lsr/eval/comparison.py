"""Systems side by side: figures by set, averages that are named, and whether the differences are more than luck.

Works on records. A difference is tested over the queries of one set, and Holm's correction spans all tests of one
measure that a comparison makes (systems × sets). Knows nothing of how a comparison is shown (`report` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lsr.errors import EvaluationError
from lsr.eval.averages import Average, averages_of, fold_parts
from lsr.eval.frames import frame
from lsr.eval.records import Record
from lsr.eval.significance import (
    RESAMPLES,
    SEED,
    PairedTest,
    bootstrap_interval,
    holm,
    pair_up,
    paired_test,
    worst_first,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """System against baseline on one set by one measure; `t_holm` and `permutation_holm` are corrected p-values."""

    set: str
    system: str
    baseline: str
    measure: str
    test: PairedTest
    t_holm: float
    permutation_holm: float

    def significant(self, level: float = 0.05) -> bool:
        """Both corrected p-values are below the level."""
        return max(self.t_holm, self.permutation_holm) < level

    def to_dict(self) -> dict[str, Any]:
        return {
            "set": self.set,
            "system": self.system,
            "baseline": self.baseline,
            "measure": self.measure,
            **self.test.to_dict(),
            "t_holm": self.t_holm,
            "permutation_holm": self.permutation_holm,
            "significant": self.significant(),
        }


@dataclass(frozen=True, slots=True)
class QueryDifference:
    """One query on which two systems differ: the values of both, and its text where that is known."""

    set: str
    query: str
    text: str
    system: str
    baseline: str
    measure: str
    value: float
    baseline_value: float

    @property
    def difference(self) -> float:
        return self.value - self.baseline_value

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"difference": self.difference}


class Comparison:
    """Records of several systems on one or more sets.

    Parameters
    ----------
    records : iterable of Record
        One for each system and set. The forums of CQADupStack become one set where all twelve are there.
    baseline : str, optional
        The system that the others are compared with; the first by default.
    measures : sequence of str, optional
        By default those that all records have, in the order of the first.
    all_pairs : bool
        Test every system against every other, not only against the baseline.
    resamples, seed : int
        Of randomisation test and bootstrap.

    Raises
    ------
    EvaluationError
        No record, one system and set twice, an unknown baseline, no measure in common.
    """

    def __init__(
        self,
        records: Iterable[Record],
        *,
        baseline: str | None = None,
        measures: Sequence[str] | None = None,
        all_pairs: bool = False,
        resamples: int = RESAMPLES,
        seed: int = SEED,
    ) -> None:
        given = list(records)
        if not given:
            raise EvaluationError("there is no run to compare", remedy="Name runs, records, or folders of them")
        self.records: dict[tuple[str, str], Record] = {}
        for record in given:
            if (record.set, record.system) in self.records:
                raise EvaluationError(
                    f"the system {record.system!r} is there twice on {record.set}",
                    remedy="Give one another label: LABEL=RUN",
                )
            self.records[record.set, record.system] = record
        self.measures = list(measures) if measures else _common_measures(given)
        for record in given:
            for measure in self.measures:
                if measure not in record.per_query:
                    raise EvaluationError(f"{record.system} on {record.set} was not measured by {measure}")
        self.records, self.notes = fold_parts(self.records)
        self.sets = list(dict.fromkeys(name for name, _ in self.records))
        self.systems = list(dict.fromkeys(system for _, system in self.records))
        if baseline is not None and baseline not in self.systems:
            raise EvaluationError(
                f"the baseline {baseline!r} is not among the systems", remedy=f"Choose {' or '.join(self.systems)}"
            )
        self.baseline = baseline or self.systems[0]
        self.resamples, self.seed = resamples, seed
        self._all_pairs = all_pairs

    def value(self, set: str, system: str, measure: str) -> float | None:
        """The mean over the set's judged queries, None where the system was not run on it."""
        record = self.records.get((set, system))
        return None if record is None else record.measures[measure]

    def interval(self, set: str, system: str, measure: str) -> tuple[float, float] | None:
        """95 % bootstrap interval of that mean, over the queries."""
        record = self.records.get((set, system))
        if record is None:
            return None
        values = np.fromiter(record.per_query[measure].values(), np.float64)
        return bootstrap_interval(values, resamples=self.resamples, seed=self.seed)

    def averages(self, measure: str) -> list[Average]:
        """Every average that the sets allow, by name; see `averages_of`."""
        return averages_of(
            {
                system: {s: v for s in self.sets if (v := self.value(s, system, measure)) is not None}
                for system in self.systems
            },
            self.sets,
        )

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """(system, baseline) of every comparison."""
        if self._all_pairs:
            return [(b, a) for i, a in enumerate(self.systems) for b in self.systems[i + 1 :]]
        return [(system, self.baseline) for system in self.systems if system != self.baseline]

    @cached_property
    def differences(self) -> list[Difference]:
        """Every test: measures × pairs × sets on which both systems were run (and that have two queries or more)."""
        return [difference for measure in self.measures for difference in self._family(measure)]

    def _family(self, measure: str) -> list[Difference]:
        tests: dict[tuple[str, str, str], PairedTest] = {}
        for system, baseline in self.pairs:
            for name in self.sets:
                one, other = self.records.get((name, system)), self.records.get((name, baseline))
                if one is None or other is None or one.queries < 2:
                    continue
                _, first, second = pair_up(one.per_query[measure], other.per_query[measure])
                tests[system, baseline, name] = paired_test(first, second, resamples=self.resamples, seed=self.seed)
        t_holm = holm({key: test.t_p for key, test in tests.items()})
        permutation_holm = holm({key: test.permutation_p for key, test in tests.items()})
        return [
            Difference(name, system, baseline, measure, test, t_holm[key], permutation_holm[key])
            for key, test in tests.items()
            for system, baseline, name in [key]
        ]

    def difference(self, set: str, system: str, measure: str, baseline: str | None = None) -> Difference | None:
        """The test of a system against the baseline (or another), None where there is none."""
        other = baseline or self.baseline
        for found in self.differences:
            if (found.set, found.system, found.baseline, found.measure) == (set, system, other, measure):
                return found
        return None

    def query_differences(
        self, set: str, system: str, measure: str, *, most: int = 10, baseline: str | None = None
    ) -> list[QueryDifference]:
        """The queries on which a system differs most from the baseline, either way, the greatest difference first."""
        other = baseline or self.baseline
        one, two = self.records.get((set, system)), self.records.get((set, other))
        if one is None or two is None:
            return []
        queries, first, second = pair_up(one.per_query[measure], two.per_query[measure])
        values = dict(zip(queries, zip(first.tolist(), second.tolist(), strict=True), strict=True))
        texts = {**two.texts, **one.texts}
        return [
            QueryDifference(set, query, texts.get(query, ""), system, other, measure, *values[query])
            for query in worst_first({query: a - b for query, (a, b) in values.items()}, most)
        ]

    def rows(self) -> list[dict[str, Any]]:
        """One row a system and set: measures, and cost where it was taken."""
        rows = []
        for (name, system), record in self.records.items():
            row: dict[str, Any] = {"set": name, "system": system, "queries": record.queries}
            row |= {measure: record.measures[measure] for measure in self.measures}
            if record.cost is not None:
                row |= record.cost.to_dict()
            rows.append(row)
        return rows

    def to_frame(self) -> Any:
        """`rows` as a pandas DataFrame."""
        return frame(self.rows())

    def differences_frame(self) -> Any:
        """`differences` as a pandas DataFrame."""
        return frame([difference.to_dict() for difference in self.differences])

    def per_query_frame(self, measure: str | None = None) -> Any:
        """A pandas DataFrame of one measure: set, query, and a column a system."""
        chosen = measure or self.measures[0]
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for (name, system), record in self.records.items():
            for query, value in record.per_query[chosen].items():
                rows.setdefault((name, query), {"set": name, "query": query})[system] = value
        return frame(list(rows.values()))

    def to_dict(self) -> dict[str, Any]:
        """Everything that was found, as JSON."""
        return {
            "baseline": self.baseline,
            "measures": self.measures,
            "systems": self.systems,
            "sets": self.sets,
            "resamples": self.resamples,
            "seed": self.seed,
            "results": self.rows(),
            "averages": [
                {"measure": measure, **average.to_dict()}
                for measure in self.measures
                for average in self.averages(measure)
            ],
            "differences": [difference.to_dict() for difference in self.differences],
            "queries": [
                found.to_dict()
                for system, baseline in self.pairs
                for name in self.sets
                for found in self.query_differences(name, system, self.measures[0], baseline=baseline)
            ],
            "notes": list(self.notes),
        }


def relabelled(record: Record, label: str) -> Record:
    """The record under another name of its system."""
    return replace(record, system=label)


def _common_measures(records: Sequence[Record]) -> list[str]:
    common = [name for name in records[0].measures if all(name in record.measures for record in records)]
    if not common:
        raise EvaluationError(
            "the records have no measure in common", remedy="Name one with --measure, and a collection to measure by"
        )
    return common
