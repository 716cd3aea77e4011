"""Which segments to join: a tiered policy over neighbours, so that each document is rewritten about log₄ N times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsr.store.records import SegmentRow, State

#: So many neighbours of one tier become one segment of the next.
FANOUT = 4
#: Segments of fewer documents are all of the lowest tier.
SMALLEST = 1024
#: A segment is built anew when more than one in so many of its documents is dead, if it is of the lowest tier or not:
#: a search reads the postings of the dead too, and so costs a quarter more than without them at most; a deletion
#: rewrites four documents at most.
DEAD_OF_SMALL, DEAD = 2, 5


@dataclass(frozen=True, slots=True)
class Plan:
    """Neighbouring segments to build anew as one, and the generation that they were chosen in."""

    rows: tuple[SegmentRow, ...]
    state: State


def plan_merge(rows: Sequence[SegmentRow], state: State) -> Plan | None:
    """What `merge_plan` says of the segments of a generation."""
    span = merge_plan([row.living for row in rows], [row.documents for row in rows])
    return None if span is None else Plan(tuple(rows[span[0] : span[1]]), state)


def plan_tail(rows: Sequence[SegmentRow], state: State) -> Plan | None:
    """For times without writes: the segments after the last of the highest tier, where three or more are to be joined.

    In a stream of writes this would rewrite too much, so it is for whoever bounds how often it is done.
    """
    tiers = [tier(row.living) for row in rows]
    last = max((place for place, level in enumerate(tiers) if level == max(tiers)), default=0)
    tail = rows[last + 1 :]
    return Plan(tuple(tail), state) if len(tail) >= 3 else None


def tier(documents: int) -> int:
    """0 for the smallest segments, one more for each factor of 4."""
    level = 0
    while documents > SMALLEST * FANOUT**level:
        level += 1
    return level


def merge_plan(living: Sequence[int], documents: Sequence[int]) -> tuple[int, int] | None:
    """The next run of neighbours to build anew as one segment: start inclusive, stop exclusive; None for nothing to do.

    Parameters
    ----------
    living, documents : sequences as long as there are segments, by ascending ordinals
        Live documents of each segment, and all of them.

    A segment is rebuilt alone where too many of its documents are dead. Else, as soon as four of the newest are of one
    tier, they are joined with the smaller ones among and after them.
    """
    for place, (alive, total) in enumerate(zip(living, documents, strict=True)):
        if (total - alive) * (DEAD_OF_SMALL if total <= SMALLEST else DEAD) > total:
            return place, place + 1
    tiers = [tier(count) for count in living]
    for level in range(max(tiers, default=-1) + 1):
        start = len(tiers)
        while start > 0 and tiers[start - 1] <= level:
            start -= 1
        if tiers[start:].count(level) >= FANOUT:
            return start, len(tiers)
    return None
