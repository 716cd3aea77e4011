"""Many queries in one call: the hits of each are those of a brute-force oracle, whatever the threads and strategies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from index_oracle import random_vectors

from lsr.errors import CorruptionError, InvalidQueryError, InvalidSettingError
from lsr.index import running, search
from lsr.index.build import SegmentBuilder, write_segment
from lsr.index.layout import SUPERBLOCK
from lsr.index.options import SearchOptions
from lsr.index.search import Queries, Top, search_many, search_segments
from lsr.index.segment import Segment

ROWS, DIM = SUPERBLOCK + 4_000, 400


@pytest.fixture(scope="module")
def topical(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Segment], np.ndarray]:
    """Two segments, the second in another order: topics, lists of all kinds, hundreds of short ones; dense impacts."""
    rng = np.random.default_rng(17)
    topic = np.repeat(np.arange(ROWS // 500 + 1), 500)[:ROWS]
    share = np.concatenate([[0.9, 0.4, 0.34, 0.2, 0.1], rng.choice([0.0005, 0.002, 0.006, 0.02, 0.05], DIM - 5)])
    likes = rng.random((topic[-1] + 1, DIM)).astype(np.float32) ** 4 * 4
    dense = np.zeros((ROWS, DIM), np.uint8)
    for first in range(0, ROWS, 10_000):
        mine = likes[topic[first : first + 10_000]]
        held = rng.random(mine.shape, np.float32) < share * mine
        dense[first : first + 10_000] = held * np.clip(rng.gamma(2.0, 20.0, mine.shape) * mine, 1, 255)
    folder = tmp_path_factory.mktemp("many")
    segments = []
    for number, (start, stop) in enumerate([(0, ROWS - 3_000), (ROWS - 3_000, ROWS)]):
        rows, terms = np.nonzero(dense[start:stop])
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=stop - start))])
        with SegmentBuilder(folder / f"{number}.seg", 1.0, reorder=number == 1) as builder:
            impacts = dense[start:stop][rows, terms]
            builder.add_impacts(indptr, terms.astype(np.uint32), impacts, np.arange(start, stop))
            builder.finish()
        segments.append(Segment(folder / f"{number}.seg"))
    return segments, dense


def queries(dense: np.ndarray, heaviest: int) -> Queries:
    """Few and many terms, of documents and at random, unknown ones among them, and none at all."""
    rng = np.random.default_rng(heaviest)
    rows = []
    for width in (1, 2, 8, 40, 150, 300):
        for chosen in (
            rng.choice(DIM + 20, min(width, DIM), replace=False),
            rng.permutation(np.flatnonzero(dense[77])),
        ):
            terms = np.sort(chosen[:width]).astype(np.uint32)
            rows.append((terms, rng.integers(1, heaviest + 1, len(terms)).astype(np.uint32)))
    nothing = np.zeros(0, np.uint32)
    rows += [(nothing, nothing), (np.array([DIM + 5], np.uint32), np.array([255], np.uint32))]
    return Queries.of(rows)


def masks(segments: list[Segment], alive: np.ndarray) -> list[np.ndarray | None]:
    """`alive`, by document, as it is handed over."""
    own = [alive[segment.ordinal_base + segment.ordinals.astype(np.int64)] for segment in segments]
    return [None if living.all() else living.astype(np.uint8) for living in own]


def best(dense: np.ndarray, alive: np.ndarray, query: tuple[np.ndarray, np.ndarray], k: int) -> list[tuple[int, int]]:
    terms, weights = query
    known = terms < DIM
    scores = np.zeros(len(dense), np.int64)
    for term, weight in zip(terms[known].tolist(), weights[known].tolist(), strict=True):
        scores += dense[:, term].astype(np.int64) * weight
    scores[~alive] = 0
    found = np.flatnonzero(scores)
    order = found[np.lexsort((found, -scores[found]))][:k]
    return list(zip(scores[order].tolist(), order.tolist(), strict=True))


def pairs(top: Top) -> list[tuple[int, int]]:
    return list(zip(top.scores.tolist(), top.ordinals.tolist(), strict=True))


@pytest.mark.parametrize("heaviest", [3, 32, 255, 300], ids="weights up to {}".format)
@pytest.mark.parametrize("who", ["all", "most", "few", "few neighbours", "nobody"])
def test_every_query_finds_what_brute_force_finds(
    topical: tuple[list[Segment], np.ndarray], heaviest: int, who: str
) -> None:
    segments, dense = topical
    rng = np.random.default_rng(3)
    alive = {
        "all": np.ones(ROWS, bool),
        "most": rng.random(ROWS) < 0.9,
        "few": rng.random(ROWS) < 0.001,
        "few neighbours": np.arange(ROWS) // 700 == 40,
        "nobody": np.zeros(ROWS, bool),
    }[who]
    asked = queries(dense, heaviest)
    for k in (1, 10, 1000):
        truth = [best(dense, alive, query, k) for query in asked.rows()]
        for strategy, threads in (("scan", 1), ("prune", 1), ("auto", 1), ("prune", 2), ("auto", 3)):
            options = SearchOptions(strategy=strategy)
            tops = search_many(segments, masks(segments, alive), asked, k, options, threads)
            assert [pairs(top) for top in tops] == truth, (k, strategy, threads)
            assert all(top.exact for top in tops)


def test_more_hits_than_there_are_matches(topical: tuple[list[Segment], np.ndarray]) -> None:
    segments, dense = topical
    asked = queries(dense, 9)
    alive = np.ones(ROWS, bool)
    for top, query in zip(search_many(segments, [None, None], asked, 10 * ROWS), asked.rows(), strict=True):
        assert pairs(top) == best(dense, alive, query, ROWS)


def test_groups_of_queries_and_work_are_those_of_single_searches(
    topical: tuple[list[Segment], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    segments, dense = topical
    asked = queries(dense, 32)
    monkeypatch.setattr(search, "_HELD", 50)  # five queries at a time
    monkeypatch.setattr(search, "_CHUNK", 2)
    for options in (
        SearchOptions(),
        SearchOptions(query_terms=0.5),
        SearchOptions(overestimate=1.1),
        SearchOptions(threads=2),
    ):
        many = search_many(segments, [None, None], asked, 10, options, 1 if options.threads > 1 else 2)
        for top, (terms, weights) in zip(many, asked.rows(), strict=True):
            one = search_segments(segments, [None, None], terms, weights, 10, options)
            assert top.exact is one.exact
            if options.threads == 1:
                assert pairs(top) == pairs(one)
                assert top.work == one.work
            else:
                assert top.scores.tolist() == one.scores.tolist()


def test_pruning_scores_fewer_postings(topical: tuple[list[Segment], np.ndarray]) -> None:
    segments, dense = topical
    asked = queries(dense, 255)
    scored = {}
    for strategy in ("scan", "prune"):
        tops = search_many(segments[:1], [None], asked, 1, SearchOptions(strategy=strategy))
        scored[strategy] = sum(top.work.postings_scored for top in tops)
    assert scored["prune"] < scored["scan"]


def test_no_queries_and_no_segments() -> None:
    asked = Queries.of([(np.array([1], np.uint32), np.array([2], np.uint32))] * 3)
    assert search_many([], [], Queries.of([]), 10) == []
    assert [len(top.scores) for top in search_many([], [], asked, 10, threads=2)] == [0, 0, 0]


def test_what_cannot_be_asked_is_refused(topical: tuple[list[Segment], np.ndarray]) -> None:
    segments, dense = topical
    asked = queries(dense, 2)
    with pytest.raises(InvalidQueryError, match="k is 0"):
        search_many(segments, [None, None], asked, 0)
    with pytest.raises(InvalidSettingError, match="2 threads for queries and 3 for each"):
        search_many(segments, [None, None], asked, 1, SearchOptions(threads=3), threads=2)
    with pytest.raises(InvalidSettingError, match="threads is 0"):
        search_many(segments, [None, None], asked, 1, threads=0)
    heavy = Queries.of([*asked.rows(), (np.arange(40_000, dtype=np.uint32), np.full(40_000, 255, np.uint32))])
    with pytest.raises(InvalidQueryError, match="40000 terms"):
        search_many(segments, [None, None], heavy, 1)


def test_a_damaged_directory_is_refused_in_any_thread(tmp_path: Path) -> None:
    vectors = random_vectors(np.random.default_rng(1), 300, 20, 8)
    write_segment(tmp_path / "s", vectors, np.arange(300), float(vectors.weights.max()))
    segment = Segment(tmp_path / "s")
    counts = segment.counts.copy()
    counts[int(segment.borders[3])] += 7
    segment.counts = counts
    segment.for_kernels = (*segment.for_kernels[:3], counts, *segment.for_kernels[4:])
    asked = Queries.of([(segment.terms[n : n + 1], np.ones(1, np.uint32)) for n in range(6)])
    with pytest.raises(CorruptionError, match="term"):
        search_many([segment], [None], asked, 5, threads=2)


def test_what_is_remembered_of_a_bitmap_is_forgotten_with_it(topical: tuple[list[Segment], np.ndarray]) -> None:
    segments, dense = topical
    asked = queries(dense, 32)
    for start in range(0, 12_000, 3_000):
        alive = np.arange(ROWS) // 1_000 == start // 1_000
        truth = [best(dense, alive, query, 10) for query in asked.rows()]
        writable = masks(segments, alive)
        fixed = masks(segments, alive)
        for mask in fixed:
            assert mask is not None
            mask.flags.writeable = False
        before = len(running._known)
        for _ in range(2):
            for bitmaps in (writable, fixed):
                assert [pairs(top) for top in search_many(segments, bitmaps, asked, 10)] == truth
        assert len(running._known) == before + 2
        writable[0][:] = 0  # type: ignore[index]
        assert all(top.ordinals.min(initial=ROWS) >= ROWS - 3_000 for top in search_many(segments, writable, asked, 10))
        del fixed, mask, bitmaps
        assert len(running._known) == before
