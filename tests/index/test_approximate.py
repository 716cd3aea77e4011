"""Approximate modes: what they may miss, what they may not, and that they say so."""

from __future__ import annotations

import numpy as np
import pytest
from index_oracle import brute_force

from lsr.errors import InvalidSettingError
from lsr.index.build import SegmentBuilder
from lsr.index.compile import load_kernels
from lsr.index.options import RECALL, SearchOptions, for_recall
from lsr.index.search import search_segments
from lsr.index.segment import Segment

DIM, ROWS, TOPICS = 300, 70_000, 200


@pytest.fixture(scope="module")
def topical(tmp_path_factory: pytest.TempPathFactory) -> tuple[Segment, np.ndarray]:
    """Documents of topics, in random order, reordered by the builder; and their dense impacts."""
    rng = np.random.default_rng(11)
    likes = rng.dirichlet(np.full(DIM, 0.05), TOPICS)
    topic = rng.integers(0, TOPICS, ROWS)
    dense = np.zeros((ROWS, DIM), np.uint8)
    for number in range(TOPICS):
        mine = np.flatnonzero(topic == number)
        held = rng.random((len(mine), DIM)) < 25 * likes[number] + 0.01
        dense[mine] = held * np.clip(rng.gamma(3.0, 20.0, held.shape), 1, 255)
    rows, terms = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=ROWS))])
    path = tmp_path_factory.mktemp("topical") / "one.seg"
    with SegmentBuilder(path, 1.0, reorder=True) as builder:
        for first in range(0, ROWS, 9_999):
            last = min(ROWS, first + 9_999)
            low, high = indptr[first], indptr[last]
            impacts = dense[rows[low:high], terms[low:high]]
            numbers = np.arange(first, last)
            builder.add_impacts(indptr[first : last + 1] - low, terms[low:high].astype(np.uint32), impacts, numbers)
        builder.finish()
    load_kernels()
    return Segment(path), dense


def queries(dense: np.ndarray, count: int, width: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    result = []
    for row in rng.choice(len(dense), count, replace=False):
        terms = np.sort(rng.permutation(np.flatnonzero(dense[row]))[:width]).astype(np.uint32)
        result.append((terms, rng.integers(1, 256, len(terms)).astype(np.uint32)))
    return result


def found(segment: Segment, query: tuple[np.ndarray, np.ndarray], k: int, options: SearchOptions) -> dict[int, int]:
    top = search_segments([segment], [None], *query, k, options)
    assert top.exact is not options.approximate
    assert (np.diff(top.scores) <= 0).all()
    return dict(zip(top.ordinals.tolist(), top.scores.tolist(), strict=True))


def test_pruning_is_exact_and_scores_fewer_postings(topical: tuple[Segment, np.ndarray]) -> None:
    segment, dense = topical
    scored = {"scan": 0, "prune": 0, "auto": 0}
    for terms, weights in queries(dense, 25, 8):
        impacts, everybody = dense[:, terms].astype(np.int64), np.ones(ROWS, bool)
        truth = brute_force(impacts, np.arange(ROWS), everybody, weights.astype(np.int64), 10)
        for strategy in scored:
            top = search_segments([segment], [None], terms, weights, 10, SearchOptions(strategy=strategy))
            assert list(zip(top.scores.tolist(), top.ordinals.tolist(), strict=True)) == truth
            scored[strategy] += top.work.postings_scored
    assert scored["prune"] < scored["scan"] * 2 / 3


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(overestimate=1.3),
        SearchOptions(overestimate_superblocks=1.3),
        SearchOptions(query_terms=0.6),
        SearchOptions(max_postings=1_000),
        SearchOptions(strategy="prune", overestimate=1.2, query_terms=0.7, threads=2),
        *(for_recall(recall) for recall in RECALL),
    ],
    ids=repr,
)
def test_hits_of_approximate_searches_have_their_true_scores(
    topical: tuple[Segment, np.ndarray], options: SearchOptions
) -> None:
    segment, dense = topical
    shares = []
    for query in queries(dense, 25, 8):
        exact = found(segment, query, 10, SearchOptions())
        hits = found(segment, query, 10, options)
        for ordinal, score in hits.items():
            assert score == int(dense[ordinal, query[0]].astype(np.int64) @ query[1].astype(np.int64))
        least = min(exact.values())
        shares.append(sum(score >= least for score in hits.values()) / len(exact))
    assert np.mean(shares) > 0.5


def test_a_budget_leaves_superblocks_out_and_says_so(topical: tuple[Segment, np.ndarray]) -> None:
    segment, dense = topical
    (terms, weights), *_ = queries(dense, 1, 8)
    top = search_segments([segment], [None], terms, weights, 10, SearchOptions(strategy="scan", max_postings=1))
    assert not top.exact
    assert top.work.superblocks_scanned == 1
    assert top.work.superblocks_left_out == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strategy": "fast"}, "strategy is 'fast'"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": True}, "threads is True"),
        ({"overestimate": 0.9}, "overestimate is 0.9"),
        ({"overestimate": float("nan")}, "overestimate is nan"),
        ({"query_terms": 0}, "query_terms is 0"),
        ({"query_terms": 1.5}, "query_terms is 1.5"),
        ({"candidates": "4"}, "candidates is '4'"),
        ({"max_postings": 0}, "max_postings is 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSettingError, match=said):
        SearchOptions(**settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidSettingError, match=r"recall is '98'.*95, 99, 99\.9"):
        for_recall("98")
