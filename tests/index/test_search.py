"""Exactness: whatever the documents, the split into segments, the dead and k, hits equal the brute-force oracle's."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_oracle import brute_force, random_vectors
from numpy.typing import NDArray

from lsr.errors import InvalidQueryError
from lsr.index import layout
from lsr.index.build import write_segment
from lsr.index.compile import load_kernels
from lsr.index.options import SearchOptions
from lsr.index.quantize import impact_ceiling, quantize_impacts
from lsr.index.search import _Budget, search_segments
from lsr.index.segment import Segment
from lsr.vectors import SparseVectors

Alive = NDArray[np.uint8]


def dense_impacts(vectors: SparseVectors, ceiling: float) -> NDArray[np.int64]:
    dense = np.zeros((len(vectors), vectors.dim), np.int64)
    dense[vectors.row_numbers, vectors.terms] = quantize_impacts(vectors.weights, ceiling)
    return dense


def ceiling_of(vectors: SparseVectors) -> float:
    return impact_ceiling(float(vectors.weights.max())) if vectors.nnz else 1.0


WAYS = [
    SearchOptions(strategy="scan"),
    SearchOptions(strategy="prune"),
    SearchOptions(strategy="auto"),
    SearchOptions(strategy="auto", threads=2),
    SearchOptions(strategy="prune", threads=3),
]


def hits(
    folder: Path,
    vectors: SparseVectors,
    borders: list[int],
    alive: NDArray[np.bool_],
    query: dict[int, int],
    k: int,
    reorder: bool = False,
) -> list[tuple[int, int]]:
    """Write one segment between each two borders, search all in every way, and give (score, ordinal)."""
    segments, masks = [], []
    for number, (start, stop) in enumerate(itertools.pairwise(borders)):
        path = folder / f"{number}-{reorder}.seg"
        path.unlink(missing_ok=True)
        ordinals = np.arange(start, stop) * 3 + 5
        write_segment(path, vectors[start:stop], ordinals, ceiling_of(vectors), reorder=reorder)
        segment = Segment(path)
        segments.append(segment)
        living = alive[start:stop][segment.ordinals.astype(np.int64) // 3] if stop > start else alive[:0]
        masks.append(None if living.all() else living.astype(np.uint8))
    terms = np.array(sorted(query), np.uint32)
    weights = np.array([query[int(term)] for term in terms], np.uint32)
    load_kernels()
    with pytest.MonkeyPatch.context() as patch:  # the first queries of a process go without numba
        patch.setattr("lsr.index.search.kernels_loaded", lambda: False)
        patch.setattr("lsr.index.search._budget", _Budget(10**9))
        plain = search_segments(segments, masks, terms, weights, k)
    found = list(zip(plain.scores.tolist(), plain.ordinals.tolist(), strict=True))
    for options in WAYS:
        compiled = search_segments(segments, masks, terms, weights, k, options)
        assert list(zip(compiled.scores.tolist(), compiled.ordinals.tolist(), strict=True)) == found, options
        assert compiled.exact
    for segment in segments:
        segment.close()
    return found


def expected(vectors: SparseVectors, alive: NDArray[np.bool_], query: dict[int, int], k: int) -> list[tuple[int, int]]:
    weights = np.zeros(vectors.dim, np.int64)
    for term, weight in query.items():
        weights[term] = weight
    ordinals = np.arange(len(vectors)) * 3 + 5
    return brute_force(dense_impacts(vectors, ceiling_of(vectors)), ordinals, alive, weights, k)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_equals_brute_force(tmp_path: Path, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows = data.draw(st.integers(0, 200))
    dim = data.draw(st.integers(1, 40))
    vectors = random_vectors(rng, rows, dim, longest=12, levels=data.draw(st.sampled_from([0, 1, 3])))
    cuts = data.draw(st.lists(st.integers(0, rows), max_size=4))
    alive = rng.random(rows) < data.draw(st.sampled_from([1.0, 0.7, 0.0]))
    terms = rng.choice(dim, size=data.draw(st.integers(0, min(dim, 12))), replace=False)
    query = {int(term): int(weight) for term, weight in zip(terms, rng.integers(1, 256, len(terms)), strict=True)}
    k = data.draw(st.sampled_from([1, 2, 10, 1000]))
    reorder = data.draw(st.booleans())
    found = hits(tmp_path, vectors, [0, *sorted(cuts), rows], alive, query, k, reorder)
    assert found == expected(vectors, alive, query, k)


@pytest.mark.parametrize("reorder", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_long_lists_of_every_kind_equal_brute_force(tmp_path: Path, seed: int, reorder: bool) -> None:
    """Some thousand documents: plain, spanned and dense lists, with rows of bounds and without, topics, ties."""
    rng = np.random.default_rng(seed)
    rows, dim = 9000, 60
    share = rng.choice([0.002, 0.02, 0.2, 0.3, 0.5, 1.0], dim)
    topic = np.arange(rows) // 300 % 7
    likes = rng.random((7, dim)) ** 3 * 2
    held = rng.random((rows, dim)) < share * likes[topic]
    weights = np.ceil(rng.gamma(2.0, 0.3, (rows, dim)) * (1 + likes[topic]) * rng.choice([1, 8])) / 8
    numbers, terms = np.nonzero(held)
    indptr = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
    vectors = SparseVectors(indptr, terms.astype(np.uint32), weights[held].astype(np.float32), dim)
    assert len(numbers) == vectors.nnz
    for width in (1, 5, 40):
        chosen = rng.choice(dim, width, replace=False)
        query = {int(term): int(weight) for term, weight in zip(chosen, rng.integers(1, 256, width), strict=True)}
        for alive in (np.ones(rows, bool), rng.random(rows) < 0.6, np.arange(rows) % 1000 < 3):
            for k in (1, 10, 100, 10_000):
                found = hits(tmp_path, vectors, [0, rows], alive, query, k, reorder)
                assert found == expected(vectors, alive, query, k)


def test_sums_beyond_16_bits_do_not_wrap(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([dict.fromkeys(range(300), 1.0), {0: 1.0}, dict.fromkeys(range(300), 0.9)], 300)
    query = dict.fromkeys(range(300), 255)
    everybody = np.ones(3, bool)
    found = hits(tmp_path, vectors, [0, 3], everybody, query, 10)
    assert found[0][0] == 300 * 255 * 255 > 65535
    assert found == expected(vectors, everybody, query, 10)


def test_a_sum_of_exactly_65535_fits_16_bits(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([{0: 1.0, 1: 1.0}], 2)
    assert hits(tmp_path, vectors, [0, 1], np.ones(1, bool), {0: 255, 1: 2}, 1) == [(65535, 5)]


def test_ties_at_the_kth_place_go_to_the_earlier_document(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([{0: 1.0}] * 500, 1)
    for borders in ([0, 500], [0, 3, 250, 500]):
        found = hits(tmp_path, vectors, borders, np.ones(500, bool), {0: 7}, 5)
        assert [ordinal for _, ordinal in found] == [5, 8, 11, 14, 17]


def test_documents_beyond_one_superblock(tmp_path: Path) -> None:
    rows = layout.SUPERBLOCK * 2 + 77
    rng = np.random.default_rng(3)
    terms = np.sort(rng.integers(0, 50, (rows, 2)).astype(np.uint32), axis=1)
    terms[:, 1] += 50
    weights = rng.integers(1, 4, rows * 2).astype(np.float32)
    vectors = SparseVectors(np.arange(0, 2 * rows + 1, 2), terms.ravel(), weights, 100)
    query = {3: 9, 17: 200, 60: 30, 99: 1}
    alive = rng.random(rows) < 0.5
    for k in (1, 10, 5000, rows):
        want = expected(vectors, alive, query, k)
        assert hits(tmp_path, vectors, [0, rows], alive, query, k) == want
        assert hits(tmp_path, vectors, [0, 1, layout.SUPERBLOCK, rows], alive, query, k) == want
    assert hits(tmp_path, vectors, [0, rows], alive, query, 10, True) == expected(vectors, alive, query, 10)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.sets(st.integers(0, 40) | st.integers(0, 2**32 - 2), min_size=1, max_size=30),
    others=st.sets(st.integers(0, 45) | st.integers(0, 2**32 - 1), max_size=10),
)
def test_terms_are_found_whatever_their_gaps(tmp_path: Path, held: set[int], others: set[int]) -> None:
    path = tmp_path / "s"
    path.unlink(missing_ok=True)
    write_segment(path, SparseVectors.from_dicts([dict.fromkeys(held, 1.0)], 2**32 - 1), np.arange(1), 1.0)
    asked = sorted(held | others)
    places = {term: place for place, term in enumerate(sorted(held))}
    segment = Segment(path)
    assert segment.locate_lists(np.array(asked, np.uint32)).numbers.tolist() == [places.get(term, -1) for term in asked]
    segment.close()


@pytest.mark.parametrize("k", [700, 9000, 20_000])
def test_more_hits_than_are_gone_through_at_a_time(tmp_path: Path, k: int) -> None:
    """Scores that rise with the place, so that each document is a candidate, with ties: heaps are merged many times."""
    rows = 40_000
    weights = (np.arange(rows) // 3 % 5000 + np.arange(rows) // 8000 + 1).astype(np.float32)
    weights = np.stack([np.minimum(weights, 255), np.maximum(weights // 20, 1)], axis=1)
    terms = np.tile(np.array([0, 1], np.uint32), rows)
    vectors = SparseVectors(np.arange(0, 2 * rows + 1, 2), terms, weights.ravel(), 2)
    query = {0: 3, 1: 50}
    everybody = np.ones(rows, bool)
    assert hits(tmp_path, vectors, [0, rows], everybody, query, k) == expected(vectors, everybody, query, k)


def test_superblocks_that_cannot_reach_the_threshold_are_skipped(tmp_path: Path) -> None:
    rows = layout.SUPERBLOCK * 3
    weights = np.full(rows, 0.1, np.float32)
    weights[: layout.SUPERBLOCK] = 1.0
    vectors = SparseVectors(np.arange(rows + 1), np.zeros(rows, np.uint32), weights, 1)
    path = tmp_path / "s"
    write_segment(path, vectors, np.arange(rows), 1.0)
    load_kernels()
    with_work = search_segments([Segment(path)], [None], np.zeros(1, np.uint32), np.ones(1, np.uint32), 10)
    assert with_work.work.superblocks_scanned == 1
    assert with_work.work.superblocks_skipped == 2
    assert with_work.work.postings_scored == layout.SUPERBLOCK


def test_nothing_known_finds_nothing(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([{0: 1.0}, {}], 10)
    everybody = np.ones(2, bool)
    assert hits(tmp_path, vectors, [0, 2], everybody, {5: 3}, 10) == []
    assert hits(tmp_path, vectors, [0, 2], everybody, {}, 10) == []


def test_k_below_one_and_weights_that_overflow_are_refused() -> None:
    terms, weights = np.zeros(1, np.uint32), np.ones(1, np.uint32)
    with pytest.raises(InvalidQueryError, match="k is 0"):
        search_segments([], [], terms, weights, 0)
    many = np.full(40000, 255, np.uint32)
    with pytest.raises(InvalidQueryError, match="40000 terms"):
        search_segments([], [], np.arange(40000, dtype=np.uint32), many, 1)


def test_impacts_of_a_document(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = random_vectors(rng, 60, 30, 10)
    path = tmp_path / "s"
    write_segment(path, vectors, np.arange(60) + 9, ceiling_of(vectors))
    segment = Segment(path)
    dense = dense_impacts(vectors, ceiling_of(vectors))
    terms = np.arange(0, 30, 2, dtype=np.uint32)
    for row in range(60):
        place = segment.locate(row + 9)
        assert place == row
        assert segment.impacts_of(place, terms).tolist() == dense[row, ::2].tolist()
    assert segment.locate(8) is None
    assert segment.locate(69) is None
    assert segment.document_frequencies(terms).tolist() == (dense[:, ::2] > 0).sum(axis=0).tolist()
