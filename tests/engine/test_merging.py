from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsr.engine.merging import FANOUT, merge_plan, tier


def test_tiers_grow_by_four() -> None:
    assert [tier(count) for count in (0, 1, 1024, 1025, 4096, 4097, 16384)] == [0, 0, 0, 1, 1, 2, 2]


def test_four_small_neighbours_are_joined() -> None:
    assert merge_plan([9000, *[10] * 3], [9000, *[10] * 3]) is None
    assert merge_plan([9000, *[10] * 4], [9000, *[10] * 4]) == (1, 5)


def test_a_segment_mostly_dead_is_rebuilt_alone() -> None:
    assert merge_plan([100, 40], [100, 100]) == (1, 2)
    assert merge_plan([100, 50], [100, 100]) is None
    assert merge_plan([0], [5]) == (0, 1)
    assert merge_plan([8000], [10_000]) is None
    assert merge_plan([7999], [10_000]) == (0, 1)


@given(st.lists(st.integers(1, 3000), max_size=300))
def test_commits_end_in_few_segments_and_few_rewrites(commits: list[int]) -> None:
    segments: list[int] = []
    rewritten = 0
    for size in commits:
        segments.append(size)
        while plan := merge_plan(segments, segments):
            start, stop = plan
            rewritten += sum(segments[start:stop])
            segments[start:stop] = [sum(segments[start:stop])]
    total = sum(commits)
    levels = tier(total) + 1
    assert sum(segments) == total
    assert len(segments) <= FANOUT * FANOUT * levels
    assert rewritten <= total * levels
