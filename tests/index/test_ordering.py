"""Orders are permutations that bring like to like, the same on any number of threads; kernels equal plain Python."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_oracle import random_vectors
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError
from lsr.index import ordering, ordering_kernels, ordering_quality_kernels
from lsr.index.ordering import order_documents
from lsr.index.ordering_quality import block_maxima, log_gap_cost
from lsr.vectors import SparseVectors


def clustered(seed: int, topics: int, size: int) -> tuple[SparseVectors, NDArray[np.int64]]:
    """`topics` × `size` shuffled rows of 12 terms of their topic's 20 and 4 common ones; and the topic of each."""
    rng = np.random.default_rng(seed)
    topic = rng.permutation(np.repeat(np.arange(topics), size))
    rows = []
    for number in topic.tolist():
        own = 100 + number * 20 + rng.choice(20, 12, replace=False)
        rows.append(dict.fromkeys(own.tolist(), 1.0) | dict.fromkeys(rng.choice(100, 4, replace=False).tolist(), 0.2))
    return SparseVectors.from_dicts(rows, 100 + topics * 20), topic


def short_rows(terms: NDArray[np.integer[Any]], dim: int) -> SparseVectors:
    """Rows of one term each."""
    return SparseVectors(np.arange(len(terms) + 1), terms.astype(np.uint32), np.ones(len(terms), np.float32), dim)


def assert_permutation(order: NDArray[np.int64], count: int) -> None:
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(count))


# -- orders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shares", [(1.0,), ordering.SHARES, (0.25, 0.1)], ids=str)
def test_shuffled_topics_are_regrouped(shares: tuple[float, ...]) -> None:
    vectors, topic = clustered(1, 64, 64)
    order = order_documents(vectors, shares=shares, threads=2)
    assert_permutation(order, len(vectors))
    blocks = topic[order].reshape(-1, 64)
    purity = np.mean([np.bincount(block).max() / 64 for block in blocks])
    assert purity > 0.9
    ideal = np.argsort(topic, kind="stable")
    same = np.arange(len(vectors))
    assert log_gap_cost(vectors, order) < 1.1 * log_gap_cost(vectors, ideal) < 0.6 * log_gap_cost(vectors, same)
    for block in (32, 64):
        assert block_maxima(vectors, order, block).total < 1.1 * block_maxima(vectors, ideal, block).total
        assert block_maxima(vectors, order, block).total < 0.5 * block_maxima(vectors, same, block).total


@pytest.mark.parametrize("seed", range(8))
def test_topics_in_strict_alternation_are_told_apart(seed: int) -> None:
    # Both halves of such an input are alike: without documents that sit out, all would change sides for ever.
    topic = np.arange(512) % 2
    rows = [{int(t) * 24 + j: 1.0 for j in range(24)} for t in topic]
    order = order_documents(SparseVectors.from_dicts(rows, 48), seed=seed)
    assert len(set(topic[order][:256].tolist())) == 1


def test_the_result_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "SUBTREE", 1000)  # several wide nodes, and pieces of them, at a size for tests
    rng = np.random.default_rng(2)
    weights = rng.gamma(2.0, 1.0, 10_000 * 15).astype(np.float32) + np.float32(0.1)
    terms = np.sort(rng.integers(0, 60, (10_000, 15)), axis=1) + np.arange(15) * 60
    vectors = SparseVectors(np.arange(10_001) * 15, terms.reshape(-1).astype(np.uint32), weights, 900)
    orders = [order_documents(vectors, threads=threads, min_frequency=2, seed=5) for threads in (1, 2, 4)]
    assert_permutation(orders[0], 10_000)
    assert np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], orders[2])
    assert log_gap_cost(vectors, orders[0]) < log_gap_cost(vectors, np.arange(10_000))
    assert not np.array_equal(orders[0], order_documents(vectors, threads=2, min_frequency=2, seed=6))


def test_wide_and_small_nodes_find_topics_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, topic = clustered(3, 16, 256)
    for subtree in (256, 1024, 10_000):
        monkeypatch.setattr(ordering, "SUBTREE", subtree)
        order = order_documents(vectors, threads=2)
        assert np.mean([np.bincount(block).max() / 256 for block in topic[order].reshape(-1, 256)]) > 0.9


@pytest.mark.parametrize("count", [0, 1, 2, 3, 15, 16, 17, 31, 33, 255, 257, 513, 1000])
@pytest.mark.parametrize("leaf", [1, 16])
def test_any_number_of_documents(count: int, leaf: int) -> None:
    vectors = random_vectors(np.random.default_rng(count), count, 50, 8)
    assert_permutation(order_documents(vectors, leaf=leaf, threads=1), count)


@pytest.mark.parametrize("terms", [0, 1, 5])
def test_equal_rows_stay_where_they_are(terms: int) -> None:
    vectors = SparseVectors.from_dicts([dict.fromkeys(range(terms), 1.0)] * 300, 10)
    assert np.array_equal(order_documents(vectors, leaf=1), np.arange(300))


def test_empty_rows_among_others() -> None:
    rows: list[dict[int, float]] = [{} if i % 3 else {i % 6: 1.0, 7: 0.5} for i in range(999)]
    order = order_documents(SparseVectors.from_dicts(rows, 8), leaf=4)
    assert_permutation(order, 999)


def test_one_term_that_all_share_changes_nothing() -> None:
    vectors, _ = clustered(4, 8, 64)
    rows = [row | {vectors.dim: 1.0} for row in vectors.to_dicts()]
    joined = SparseVectors.from_dicts(rows, vectors.dim + 1)
    presence = (1.0,)
    assert np.array_equal(order_documents(joined, shares=presence), order_documents(vectors, shares=presence))


def test_more_documents_than_16_bits_can_count() -> None:
    rng = np.random.default_rng(5)
    for few in (1, 3):
        vectors = short_rows(rng.integers(0, few, 70_001), few)
        order = order_documents(vectors, threads=2)
        assert_permutation(order, 70_001)
        # Each term's documents lie together but for a few runs: three terms cannot fill halves exactly.
        assert np.count_nonzero(np.diff(vectors.terms[order].astype(np.int64))) < 2000


def test_term_ids_far_apart_are_ordered_as_near_ones() -> None:
    vectors, _ = clustered(6, 8, 64)
    spread = SparseVectors(vectors.indptr, vectors.terms * np.uint32(4_000_000), vectors.weights, 2**32)
    order = order_documents(vectors)
    assert np.array_equal(order_documents(spread), order)
    assert log_gap_cost(spread, order) == log_gap_cost(vectors, order)
    assert block_maxima(spread, order, 32) == block_maxima(vectors, order, 32)


def test_cuts_leave_terms_out() -> None:
    vectors, _ = clustered(7, 8, 64)
    presence = (1.0,)
    common = np.bincount(vectors.terms, minlength=vectors.dim)[vectors.terms]
    cut = vectors.filter((common >= 25) & (common <= 0.07 * 512))
    assert 0 < cut.nnz < vectors.nnz
    order = order_documents(vectors, shares=presence, min_frequency=25, max_frequency=0.07)
    assert np.array_equal(order, order_documents(cut, shares=presence))
    assert np.array_equal(order_documents(vectors, max_frequency=0.0), np.arange(512))


def test_no_iterations_keep_the_order_and_vectors_stay_untouched() -> None:
    vectors, _ = clustered(8, 4, 64)
    for array in (vectors.indptr, vectors.terms, vectors.weights):
        array.setflags(write=False)
    assert np.array_equal(order_documents(vectors, iterations=0), np.arange(256))
    assert_permutation(order_documents(vectors), 256)


def test_progress_rises_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "SUBTREE", 100)
    vectors, _ = clustered(9, 16, 64)
    seen: list[float] = []
    order_documents(vectors, threads=2, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert seen[-1] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "setting",
    [
        {"iterations": -1}, {"leaf": 0}, {"min_frequency": 0}, {"max_frequency": 1.5}, {"max_frequency": math.nan},
        {"cooling": -1.0}, {"cooling": math.inf}, {"threads": 0}, {"seed": -1}, {"leaf": 2.5},
        {"shares": ()}, {"shares": (0.0,)}, {"shares": (0.5, 1.5)},
    ],
    ids=str,
)  # fmt: skip
def test_illegal_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettingError, match=next(iter(setting))):
        order_documents(SparseVectors.empty(3, 10), **setting)


def test_nothing_is_compiled_until_it_is_used() -> None:
    code = "import sys, lsr.index, lsr.index.ordering; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- measures -------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 9))
def test_measures_equal_the_obvious_ones(seed: int, count: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = random_vectors(rng, count, 12, 12)
    order = rng.permutation(count)
    dense = vectors.to_dense()[order]
    gaps = [np.diff(np.flatnonzero(column), prepend=-1) for column in dense.T]
    bits = sum(float(np.log2(gap).sum()) for gap in gaps)
    assert log_gap_cost(vectors, order) == pytest.approx(bits / max(1, vectors.nnz))
    maxima = [dense[first : first + block].max(axis=0) for first in range(0, count, block)]
    found = block_maxima(vectors, order, block)
    slow_gaps = ordering_quality_kernels.sum_log_gaps.py_func(vectors.indptr, vectors.terms, order, np.full(12, -1))
    assert slow_gaps == pytest.approx(bits)
    arrays = (vectors.indptr, vectors.terms, vectors.weights, order, block, np.zeros(12, np.float32))
    slow_maxima = ordering_quality_kernels.sum_block_maxima.py_func(*arrays, np.zeros(12, np.uint32))
    assert slow_maxima[0] == pytest.approx(found.total)
    assert slow_maxima[1] == found.cells
    assert found.total == pytest.approx(sum(float(row.sum(dtype=np.float64)) for row in maxima))
    assert found.cells == sum(np.count_nonzero(row) for row in maxima)


def test_a_block_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="block"):
        block_maxima(SparseVectors.empty(3, 10), np.arange(3), 0)


# -- kernels --------------------------------------------------------------------------------------------------------


def both(name: str) -> list[Any]:
    kernel = getattr(ordering_kernels, name)
    return [pytest.param(kernel, id="compiled"), pytest.param(kernel.py_func, id="python")]


@pytest.mark.parametrize("split", both("split_point"))
def test_nodes_split_where_blocks_stay_whole(split: Callable[[int], int]) -> None:
    for count in range(2, 3000):
        left = split(count)
        assert 0 < left < count
        if count > ordering_kernels.ALIGN:
            assert left % ordering_kernels.ALIGN == 0
            assert abs(2 * left - count) <= ordering_kernels.ALIGN
        else:
            assert left & (left - 1) == 0
            assert left < count <= 2 * left


@pytest.mark.parametrize("tables", both("wide_tables"))
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), n_left=st.integers(2, 12), n_right=st.integers(2, 12))
def test_gains_are_what_the_cost_falls_by(tables: Callable[..., None], seed: int, n_left: int, n_right: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.random((n_left + n_right, 9)) < 0.5
    left, total = dense[:n_left].sum(axis=0).astype(np.int32), dense.sum(axis=0).astype(np.int32)
    unit = 2.0**16
    rightward, leftward = np.empty(9, np.int32), np.empty(9, np.int32)
    tables(left, total, n_left, n_right, unit, rightward, leftward)
    for t in range(9):
        # The cost with one document less here and one more there; the sizes of the halves are kept.
        def cost(here: int, there: int) -> float:
            return here * math.log2(n_left / (here + 1)) + there * math.log2(n_right / (there + 1))

        here, there = int(left[t]), int(total[t] - left[t])
        free = total[t] in (0, 1, n_left + n_right)
        if here:
            gain = 0 if free else cost(here, there) - cost(here - 1, there + 1)
            assert rightward[t] / unit == pytest.approx(gain, abs=1e-4)
        if there:
            gain = 0 if free else cost(here, there) - cost(here + 1, there - 1)
            assert leftward[t] / unit == pytest.approx(gain, abs=1e-4)


@pytest.mark.parametrize("choose", both("choose_moves"))
@settings(deadline=None, max_examples=100)
@given(
    values=st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**30), 2**30)), min_size=2, max_size=60),
    n_left=st.integers(1, 59),
    salt=st.integers(0, 2**32 - 1),
)
def test_moves_are_the_pairs_that_gain(choose: Callable[..., int], values: list[int], n_left: int, salt: int) -> None:
    n_left = min(n_left, len(values) - 1)
    order = np.random.default_rng(salt).permutation(len(values))
    counts = np.empty(ordering_kernels.BUCKETS, np.int64)
    from_left, from_right = np.empty(60, np.int32), np.empty(60, np.int32)
    pairs = choose(np.array(values, np.int32), order, n_left, salt, counts, from_left, from_right)
    # The slow way: both halves sorted, the best swapped with the best while the pair gains.
    settled = max(values[:n_left]) <= min(values[n_left:])
    stays = [ordering_kernels.sits_out.py_func(int(row), salt) for row in order]
    left = sorted((i for i in range(n_left) if not stays[i]), key=lambda i: (-values[i], -i))
    right = sorted((i for i in range(n_left, len(values)) if not stays[i]), key=lambda i: (values[i], i))
    moved = list(itertools.takewhile(lambda pair: values[pair[0]] > values[pair[1]], zip(left, right, strict=False)))
    assert pairs == (-1 if settled else len(moved))
    pairs = max(pairs, 0)
    assert from_left[:pairs].tolist() == sorted(pair[0] for pair in moved)
    assert from_right[:pairs].tolist() == sorted(pair[1] for pair in moved)


@pytest.mark.parametrize("gather", both("gather"))
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12))
def test_gathered_rows_are_the_rows(gather: Callable[..., int], seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = random_vectors(rng, 15, 10, 10)
    rows = rng.permutation(15)[:count]
    numbers, total = np.zeros(10, np.int32), np.zeros(10, np.int32)
    indptr, terms = np.zeros(count + 1, np.int64), np.zeros(vectors.nnz + 3, np.uint32)
    n_terms = gather(vectors.indptr, vectors.terms, rows, numbers, 3, indptr, terms, total)
    assert not numbers.any()
    present = vectors.to_dense()[rows] > 0
    degrees = present.sum(axis=0)
    kept = present[:, (degrees > 1) & (degrees < count)]
    found = np.zeros((count, n_terms), bool)
    for row in range(count):
        found[row, terms[indptr[row] : indptr[row + 1]]] = True
    assert indptr[0] == 3
    assert np.array_equal(found.sum(axis=0), total[:n_terms])
    assert sorted(map(bytes, found.T)) == sorted(map(bytes, kept.T))  # the same columns under other numbers


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 40), leaf=st.integers(1, 9))
def test_the_compiled_subtree_is_the_python_one(seed: int, count: int, leaf: int) -> None:
    vectors = random_vectors(np.random.default_rng(seed), count, 15, 8)
    marginals = np.empty(count + 2, np.int32)
    ordering_kernels.fill_marginals(marginals, 4096.0)
    orders = []
    for kernel in (ordering_kernels.order_subtree, ordering_kernels.order_subtree.py_func):
        order, numbers = np.arange(count), np.zeros(15, np.int32)
        rest = (marginals, 4096.0, 4096, 10, leaf, seed, vectors.nnz)
        kernel(vectors.indptr, vectors.terms, order, numbers, *rest)
        assert not numbers.any()
        orders.append(order)
    assert_permutation(orders[0], count)
    assert np.array_equal(orders[0], orders[1])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), count=st.integers(4, 24))
def test_the_compiled_bisection_is_the_python_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.random((count, 8)) < 0.4
    vectors = SparseVectors.from_dense(dense.astype(np.float32))
    n_left = ordering_kernels.split_point(count)
    marginals = np.empty(count + 2, np.int32)
    ordering_kernels.fill_marginals(marginals, 4096.0)
    sizes = ordering_kernels.size_gain(n_left, count - n_left, 4096.0)
    results = []
    for kernel in (ordering_kernels.bisect, ordering_kernels.bisect.py_func):
        rows, order = np.arange(count), np.arange(count) + 100
        total = dense.sum(axis=0).astype(np.int32)
        scratch = [np.empty(count + 8, np.int32) for _ in range(3)]
        lists = [np.empty(count, np.int32), np.empty(ordering_kernels.BUCKETS, np.int64)]
        lists += [np.empty(count, np.int32), np.empty(count, np.int32)]
        done = kernel(
            vectors.indptr, vectors.terms, rows, order, n_left, 8, total, marginals, sizes, 4096, 20, 1,
            *scratch, *lists,
        )  # fmt: skip
        assert np.array_equal(rows + 100, order)
        results.append((done, order.tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["kept_lengths", "copy_kept", "count_degrees", "count_moved", "sum_gains"])
def test_row_loops_equal_their_python(name: str) -> None:
    rng = np.random.default_rng(11)
    vectors = random_vectors(rng, 40, 20, 10, levels=4)
    allowed = (rng.random(20) < 0.7).astype(np.uint8)
    thresholds = np.array([0.5, 0.75], np.float32)
    lengths = np.zeros(40, np.int64)
    ordering_kernels.kept_lengths(vectors.indptr, vectors.terms, vectors.weights, allowed, thresholds, lengths)
    expected = [
        [int(t) * 2 + level for t, w in row.items() if allowed[t] for level in range(2) if w >= thresholds[level]]
        for row in vectors.to_dicts()
    ]
    assert lengths.tolist() == [len(row) for row in expected]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    rows = rng.permutation(40)[:25]
    table = rng.integers(-1000, 1000, 20).astype(np.int32)
    dense = vectors.to_dense()[rows] > 0
    kernel = getattr(ordering_kernels, name)
    for form in (kernel, kernel.py_func):
        if name == "kept_lengths":
            again = np.zeros(40, np.int64)
            form(vectors.indptr, vectors.terms, vectors.weights, allowed, thresholds, again)
            assert np.array_equal(again, lengths)
        elif name == "copy_kept":
            kept = np.zeros(int(indptr[-1]), np.uint32)
            form(vectors.indptr, vectors.terms, vectors.weights, allowed, thresholds, indptr, kept)
            assert kept.tolist() == [term for row in expected for term in row]
        elif name == "count_degrees":
            degrees = np.zeros(20, np.int32)
            form(vectors.indptr, vectors.terms, rows, degrees)
            assert np.array_equal(degrees, dense.sum(axis=0))
        elif name == "count_moved":
            degrees = np.full(20, 100, np.int32)
            form(vectors.indptr, vectors.terms, rows, np.array([0, 3, 24], np.int32), -2, degrees)
            assert np.array_equal(degrees, 100 - 2 * dense[[0, 3, 24]].sum(axis=0))
        else:
            sums = np.zeros(25, np.int32)
            form(vectors.indptr, vectors.terms, rows, table, -1, 7, sums)
            assert np.array_equal(sums, -(dense @ table) - 7)
