"""How far two runs serve the same: a check between engines, not a measure of quality.

Where the best k differ as sets, it says how close the scores at the border were: engines that agree but for rounding
differ only where scores nearly tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Hits = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A query whose best k differ. `gap`: how far, relative to the k-th score of the first run, the first run's scores
    of the documents that only one of the two has among its best k lie apart; None where the first run does not have
    all of them at all.
    """

    query: str
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    gap: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two runs over the same queries.

    queries : of the first run
    k : how many best hits are compared as sets
    same_sets : queries with the same best k
    same_lists : queries with the same hits in the same order, down to `depth`
    depth : the deepest list that was compared
    disagreements : the queries with other best k
    """

    queries: int
    k: int
    same_sets: int
    same_lists: int
    depth: int
    disagreements: tuple[Disagreement, ...]

    @property
    def share(self) -> float:
        """Share of queries with the same best k."""
        return self.same_sets / self.queries if self.queries else 1.0

    @property
    def widest_gap(self) -> float | None:
        """The greatest gap of a disagreement, None where one has none; 0 without any."""
        gaps = [one.gap for one in self.disagreements]
        known = [gap for gap in gaps if gap is not None]
        return None if len(known) < len(gaps) else max(known, default=0.0)


def agreement(first: Mapping[str, Hits], second: Mapping[str, Hits], *, k: int = 10) -> Agreement:
    """Compare two runs; a query that is absent from the second has no hits there."""
    same_sets = same_lists = depth = 0
    differing = []
    for query, hits in first.items():
        others = second.get(query, ())
        names, other_names = [hit[0] for hit in hits], [hit[0] for hit in others]
        depth = max(depth, len(names), len(other_names))
        same_lists += names == other_names
        if set(names[:k]) == set(other_names[:k]):
            same_sets += 1
        else:
            differing.append(_disagreement(query, hits, names[:k], other_names[:k]))
    return Agreement(len(first), k, same_sets, same_lists, depth, tuple(differing))


def _disagreement(query: str, hits: Hits, names: list[str], others: list[str]) -> Disagreement:
    only_first = tuple(name for name in names if name not in others)
    only_second = tuple(name for name in others if name not in names)
    scores = dict(hits)
    odd = [*only_first, *only_second]
    gap = None
    if names and all(name in scores for name in odd):
        values = [scores[name] for name in odd]
        last = scores[names[-1]]
        gap = (max(values) - min(values)) / abs(last) if last else None
    return Disagreement(query, only_first, only_second, gap)
