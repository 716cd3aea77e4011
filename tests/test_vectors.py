"""`SparseVectors`: its invariants, conversions there and back, and cutting, each against a plain oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from lsr.errors import InvalidSettingError, InvalidVectorsError
from lsr.vectors import MAX_DIM, SparseVectors

DIM = 12
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
LARGEST = float(np.finfo(np.float32).max)
Row = dict[int, float]

# Few different weights, so that they tie; the borders of float32; and any others.
WEIGHTS = st.sampled_from([0.5, 1.0, 1.0, 2.0, SMALLEST, LARGEST]) | st.floats(
    SMALLEST, 100, width=32, allow_subnormal=True
)
ROWS = st.lists(st.dictionaries(st.integers(0, DIM - 1), WEIGHTS, max_size=DIM), max_size=7)
TAME_ROWS = st.lists(st.dictionaries(st.integers(0, DIM - 1), st.integers(1, 6).map(float), max_size=DIM), max_size=7)


def arrays(indptr: list[int], terms: list[int], weights: list[float]) -> tuple[Any, Any, Any]:
    return np.array(indptr, np.int64), np.array(terms, np.uint32), np.array(weights, np.float32)


# -- invariants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("indptr", "terms", "weights", "dim", "message"),
    [
        ([0, 1], [0], [0.0], 3, r"row 0: term 0 has weight 0\.0, weights must be finite and above 0"),
        ([0, 1], [0], [-1.0], 3, r"weight -1\.0"),
        ([0, 1, 1, 2], [0, 1], [1.0, math.nan], 3, "row 2: term 1 has weight nan"),
        ([0, 0, 1], [2], [math.inf], 3, "row 1: term 2 has weight inf"),
        ([0, 1], [3], [1.0], 3, r"row 0: term 3 is outside 0\.\.2"),
        ([0, 1, 2], [0, 7], [1.0, 1.0], 3, r"row 1: term 7 is outside 0\.\.2"),
        ([0, 1], [0], [1.0], 0, "term 0 is outside"),
        ([0, 2], [1, 1], [1.0, 1.0], 3, "row 0: term 1 follows 1, terms must ascend"),
        ([0, 1, 1, 3], [2, 1, 0], [1.0, 1.0, 1.0], 3, "row 2: term 0 follows 1"),
        ([], [], [], 3, "indptr spans nothing"),
        ([1, 1], [0], [1.0], 3, "indptr spans 1 to 1 over 1 terms"),
        ([0, 2], [0], [1.0], 3, "indptr spans 0 to 2 over 1 terms and 1 weights"),
        ([0, 1], [0], [1.0, 1.0], 3, "over 1 terms and 2 weights"),
        ([0, 2, 1, 2], [0, 1], [1.0, 1.0], 3, "indptr decreases after row 1"),
        ([0, 3, 2], [0, 1], [1.0, 1.0], 3, "indptr decreases after row 1"),
        ([0], [], [], -1, "dim is -1"),
        ([0], [], [], MAX_DIM + 1, "dim is 4294967297"),
        ([0], [], [], 2.5, r"dim is 2\.5, it must be a whole number"),
    ],
)
def test_what_is_no_batch_is_refused(
    indptr: list[int], terms: list[int], weights: list[float], dim: int, message: str
) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        SparseVectors(*arrays(indptr, terms, weights), dim)


@pytest.mark.parametrize(
    ("place", "array", "message"),
    [
        (0, np.array([0, 1], np.int32), "indptr is int32 of 1 axes, it must be a one-dimensional int64 array"),
        (1, np.array([0], np.int64), "terms is int64"),
        (2, np.array([1.0]), "weights is float64"),
        (2, np.array([[1.0]], np.float32), "weights is float32 of 2 axes"),
        (1, [0], "terms is list"),
        (0, np.array([0, 1], ">i8"), "indptr is >i8"),
    ],
)
def test_arrays_of_other_types_are_refused(place: int, array: Any, message: str) -> None:
    parts = list(arrays([0, 1], [0], [1.0]))
    parts[place] = array
    with pytest.raises(InvalidVectorsError, match=message):
        SparseVectors(parts[0], parts[1], parts[2], 3)


@given(ROWS)
def test_terms_may_fall_only_between_rows(rows: list[Row]) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    for place in range(1, vectors.nnz):
        if vectors.row_numbers[place] == vectors.row_numbers[place - 1]:
            terms = vectors.terms.copy()
            terms[place] = terms[place - 1]
            with pytest.raises(InvalidVectorsError, match=f"row {vectors.row_numbers[place]}: .* terms must ascend"):
                SparseVectors(vectors.indptr, terms, vectors.weights, DIM)


def test_the_borders_of_the_dimension() -> None:
    last = MAX_DIM - 1
    vectors = SparseVectors.from_dicts([{last: 1.0, 0: 2.0}], MAX_DIM)
    assert vectors.to_dicts() == [{0: 2.0, last: 1.0}]
    assert vectors[0].terms.dtype == np.uint32
    assert len(SparseVectors.empty(3, 0)) == 3
    assert SparseVectors.empty(0, MAX_DIM).nnz == 0


# -- conversions ------------------------------------------------------------------------------------------------------


@given(ROWS)
def test_dicts_there_and_back(rows: list[Row]) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    assert vectors.to_dicts() == rows
    assert [list(row) for row in vectors.to_dicts()] == [sorted(row) for row in rows]
    assert vectors.nnz == sum(map(len, rows))
    assert vectors.lengths.tolist() == [len(row) for row in rows]
    assert vectors.row_numbers.tolist() == [number for number, row in enumerate(rows) for _ in row]


@given(ROWS)
def test_dense_scipy_and_torch_there_and_back(rows: list[Row]) -> None:
    torch = pytest.importorskip("torch")
    vectors = SparseVectors.from_dicts(rows, DIM)
    dense = vectors.to_dense()
    assert dense.shape == (len(rows), DIM)
    assert dense.tolist() == [[row.get(term, 0.0) for term in range(DIM)] for row in rows]
    assert SparseVectors.from_dense(dense) == vectors
    assert SparseVectors.from_dense(dense.astype(np.float64)) == vectors
    assert SparseVectors.from_scipy(vectors.to_scipy()) == vectors
    assert np.array_equal(vectors.to_scipy().toarray(), dense)
    for form in (scipy.sparse.coo_array, scipy.sparse.csc_matrix, scipy.sparse.csr_matrix, scipy.sparse.lil_array):
        assert SparseVectors.from_scipy(form(dense)) == vectors
    tensor = vectors.to_torch()
    assert tensor.is_coalesced()
    assert tensor.dtype == torch.float32
    assert np.array_equal(tensor.to_dense().numpy(), dense)
    assert SparseVectors.from_torch(tensor) == vectors
    assert SparseVectors.from_torch(tensor.to_dense().requires_grad_()) == vectors
    assert SparseVectors.from_torch(tensor.double()) == vectors


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_torch_in_rows_and_in_half_precision() -> None:
    torch = pytest.importorskip("torch")
    dense = torch.tensor([[0.0, 1.5, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.25]])
    expected = SparseVectors.from_dicts([{1: 1.5}, {}, {0: 2.0, 2: 0.25}], 3)
    assert SparseVectors.from_torch(dense.bfloat16()) == expected
    assert SparseVectors.from_torch(dense.half().to_sparse_coo()) == expected
    csr = torch.sparse_csr_tensor([0, 1, 1, 3], [1, 0, 2], [1.5, 2.0, 0.25], (3, 3), check_invariants=True)
    assert SparseVectors.from_torch(csr) == expected
    twice = torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 0.5], (3, 3), check_invariants=True)
    assert SparseVectors.from_torch(twice) == SparseVectors.from_dicts([{1: 1.5}, {}, {}], 3)


def test_scipy_duplicates_are_summed_and_zeros_dropped() -> None:
    matrix = scipy.sparse.coo_array(([1.0, 2.0, 5.0, -5.0, 0.0], ([0, 0, 1, 1, 1], [2, 2, 0, 0, 1])), shape=(2, 3))
    assert SparseVectors.from_scipy(matrix).to_dicts() == [{2: 3.0}, {}]
    assert matrix.nnz == 5


def test_scipy_gets_a_copy() -> None:
    vectors = SparseVectors.from_dicts([{0: 1.0}], 2)
    vectors.to_scipy().data[:] = -1
    assert vectors.to_dicts() == [{0: 1.0}]


@given(st.lists(st.floats(0, 1e40) | st.sampled_from([1e-46, 1e-300, LARGEST, 3.5e38, 1e300]), max_size=6))
def test_doubles_become_float32_in_every_way_alike(weights: list[float]) -> None:
    """Zero, and what float32 rounds to it, is dropped; what it cannot hold is refused by name, without a warning."""
    torch = pytest.importorskip("torch")
    dense = np.array([weights], np.float64).reshape(1, len(weights))
    with np.errstate(over="ignore"):
        narrow = dense.astype(np.float32)[0]
    makers: list[Callable[[], SparseVectors]] = [
        lambda: SparseVectors.from_dicts([dict(enumerate(weights))], len(weights)),
        lambda: SparseVectors.from_dense(dense),
        lambda: SparseVectors.from_scipy(scipy.sparse.csr_array(dense)),
        lambda: SparseVectors.from_torch(torch.from_numpy(dense)),
        lambda: SparseVectors.from_torch(torch.from_numpy(dense).to_sparse_coo()),
    ]
    for make in makers:
        if np.isinf(narrow).any():
            place = int(np.argmax(np.isinf(narrow)))
            with pytest.raises(InvalidVectorsError, match=f"row 0: term {place} has weight inf"):
                make()
        else:
            expected = {term: float(weight) for term, weight in enumerate(narrow) if weight}
            assert make().to_dicts() == [expected]


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_bad_weights_are_refused_in_every_way(weight: float) -> None:
    torch = pytest.importorskip("torch")
    dense = np.array([[0.0, 0.0], [1.0, weight]])
    makers: list[Callable[[], SparseVectors]] = [
        lambda: SparseVectors.from_dicts([{}, {0: 1.0, 1: weight}], 2),
        lambda: SparseVectors.from_dense(dense),
        lambda: SparseVectors.from_scipy(scipy.sparse.csr_array(dense)),
        lambda: SparseVectors.from_torch(torch.from_numpy(dense)),
    ]
    for make in makers:
        with pytest.raises(InvalidVectorsError, match="row 1: term 1 has weight"):
            make()


def test_dicts_with_bad_terms_are_refused() -> None:
    for term in (-1, 3):
        with pytest.raises(InvalidVectorsError, match=rf"row 1: term {term} is outside 0\.\.2"):
            SparseVectors.from_dicts([{}, {term: 1.0}], 3)
    with pytest.raises(InvalidVectorsError, match=r"row 0: term 1\.5 is not an integer"):
        SparseVectors.from_dicts([{1.5: 1.0}], 3)  # type: ignore[dict-item]
    with pytest.raises(InvalidVectorsError, match="a dense batch has 2 axes, not 1"):
        SparseVectors.from_dense(np.ones(3))


# -- joining and choosing ---------------------------------------------------------------------------------------------


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_concat_is_the_joined_lists(batches: list[list[Row]]) -> None:
    joined = SparseVectors.concat([SparseVectors.from_dicts(rows, DIM) for rows in batches])
    assert joined == SparseVectors.from_dicts([row for rows in batches for row in rows], DIM)


def test_concat_refuses_nothing_and_different_dimensions() -> None:
    with pytest.raises(InvalidVectorsError, match="no batch was given"):
        SparseVectors.concat([])
    with pytest.raises(InvalidVectorsError, match=r"different dimensions cannot be joined: \[3, 4\]"):
        SparseVectors.concat([SparseVectors.empty(1, 4), SparseVectors.empty(1, 3)])


@given(ROWS, st.data())
def test_rows_are_chosen_as_from_a_list(rows: list[Row], data: st.DataObject) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    bounds = st.none() | st.integers(-9, 9)
    part = data.draw(st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, -1, -2])))
    assert vectors[part].to_dicts() == rows[part]
    chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=9)) if rows else []
    assert vectors[chosen].to_dicts() == [rows[number] for number in chosen]
    assert vectors[np.array(chosen, np.int64)].to_dicts() == [rows[number] for number in chosen]
    mask = np.array([bool(number % 2) for number in range(len(rows))], bool)
    assert vectors[mask].to_dicts() == rows[1::2]
    assert [row.to_dicts()[0] for row in vectors] == rows
    for number in range(-len(rows), len(rows)):
        assert vectors[number] == SparseVectors.from_dicts([rows[number]], DIM)
    for number in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            vectors[number]
        with pytest.raises(IndexError):
            vectors[[number]]


@given(ROWS, ROWS)
def test_equality_is_of_rows_and_dimension(rows: list[Row], others: list[Row]) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    assert (vectors == SparseVectors.from_dicts(others, DIM)) == (rows == others)
    assert vectors != SparseVectors.from_dicts(rows, DIM + 1)
    assert vectors != rows
    with pytest.raises(TypeError):
        hash(vectors)


@given(ROWS, st.randoms(use_true_random=False))
def test_filter_keeps_the_true_places(rows: list[Row], random: Any) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    keep = np.array([random.random() < 0.5 for _ in range(vectors.nnz)], bool)
    places = iter(keep.tolist())
    expected = [{term: row[term] for term in sorted(row) if next(places)} for row in rows]
    assert vectors.filter(keep).to_dicts() == expected


# -- pruning ----------------------------------------------------------------------------------------------------------


def heaviest_first(row: Row) -> list[tuple[int, float]]:
    return sorted(row.items(), key=lambda item: (-item[1], item[0]))


def keep_top_k(row: Row, k: int) -> set[int]:
    return {term for term, _ in heaviest_first(row)[:k]}


def keep_max_ratio(row: Row, ratio: float) -> set[int]:
    return {term for term, weight in row.items() if weight >= np.float32(ratio * max(row.values()))}


def keep_threshold(row: Row, threshold: float) -> set[int]:
    return {term for term, weight in row.items() if weight >= np.float32(threshold)}


def keep_alpha_mass(row: Row, alpha: Fraction) -> set[int]:
    kept, mass, total = set(), Fraction(0), sum(map(Fraction, row.values()))
    for rank, (term, weight) in enumerate(heaviest_first(row)):
        mass += Fraction(weight)
        if rank > 0 and mass > alpha * total:
            break
        kept.add(term)
    return kept


@given(ROWS, st.integers(1, DIM + 1))
def test_prune_to_the_heaviest(rows: list[Row], k: int) -> None:
    assert SparseVectors.from_dicts(rows, DIM).prune(top_k=k).to_dicts() == [
        {term: row[term] for term in keep_top_k(row, k)} for row in rows
    ]


@given(ROWS, st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1))
def test_prune_by_ratio_to_the_greatest(rows: list[Row], ratio: float) -> None:
    pruned = SparseVectors.from_dicts(rows, DIM).prune(max_ratio=ratio)
    assert pruned.to_dicts() == [{term: row[term] for term in keep_max_ratio(row, ratio)} for row in rows]
    assert (pruned.lengths > 0).tolist() == [bool(row) for row in rows]


@given(ROWS, st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 1e38, 1e300, math.inf]) | st.floats(0, 100))
def test_prune_by_threshold(rows: list[Row], threshold: float) -> None:
    with np.errstate(over="ignore"):
        expected = [{term: row[term] for term in keep_threshold(row, threshold)} for row in rows]
    assert SparseVectors.from_dicts(rows, DIM).prune(threshold=threshold).to_dicts() == expected
    assert SparseVectors.from_dicts(rows, DIM).prune(threshold=np.float64(threshold)).to_dicts() == expected


@given(TAME_ROWS, st.integers(1, 64))
def test_prune_by_mass(rows: list[Row], share: int) -> None:
    """Weights and shares whose sums and products floating point holds exactly, so that borders are hit."""
    assert SparseVectors.from_dicts(rows, DIM).prune(alpha_mass=share / 64).to_dicts() == [
        {term: row[term] for term in keep_alpha_mass(row, Fraction(share, 64))} for row in rows
    ]


@given(ROWS)
def test_prune_by_mass_keeps_one_term_and_with_alpha_one_all(rows: list[Row]) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    assert vectors.prune(alpha_mass=1e-9) == vectors.prune(top_k=1)
    assert vectors.prune(alpha_mass=1.0) == vectors
    assert vectors.prune() == vectors


@given(TAME_ROWS, st.integers(1, 5), st.integers(0, 8), st.integers(0, 7), st.integers(1, 8))
def test_rules_together_keep_what_each_alone_keeps(rows: list[Row], k: int, ratio: int, least: int, share: int) -> None:
    vectors = SparseVectors.from_dicts(rows, DIM)
    pruned = vectors.prune(top_k=k, max_ratio=ratio / 8, threshold=float(least), alpha_mass=share / 8)
    assert pruned.to_dicts() == [
        {
            term: row[term]
            for term in keep_top_k(row, k)
            & keep_max_ratio(row, ratio / 8)
            & keep_threshold(row, least)
            & keep_alpha_mass(row, Fraction(share, 8))
        }
        for row in rows
    ]


def test_the_decimal_that_a_weight_was_written_with_is_its_threshold() -> None:
    for decimal in (0.1, 0.3, 0.7, 1.1):  # float32 rounds some of them up and some down
        vectors = SparseVectors.from_dicts([{0: decimal}], 1)
        assert vectors.prune(threshold=decimal) == vectors
        assert vectors.prune(max_ratio=1.0) == vectors


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"top_k": 0}, "top_k is 0"),
        ({"top_k": -2}, "top_k is -2"),
        ({"top_k": 2.5}, r"top_k is 2\.5, it must be a whole number"),
        ({"max_ratio": -0.1}, r"max_ratio is -0\.1"),
        ({"max_ratio": 1.1}, r"max_ratio is 1\.1"),
        ({"max_ratio": math.nan}, "max_ratio is nan"),
        ({"threshold": -1.0}, r"threshold is -1\.0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"alpha_mass": 0.0}, r"alpha_mass is 0\.0"),
        ({"alpha_mass": 1.5}, r"alpha_mass is 1\.5"),
        ({"alpha_mass": math.nan}, "alpha_mass is nan"),
    ],
)
def test_rules_outside_their_values_are_refused(rule: dict[str, Any], message: str) -> None:
    for vectors in (SparseVectors.from_dicts([{0: 1.0}], 1), SparseVectors.empty(2, 3)):
        with pytest.raises(InvalidSettingError, match=message):
            vectors.prune(**rule)


def test_pruning_by_what_a_term_adds_to_a_score() -> None:
    vectors = SparseVectors.from_dicts([{0: 1.0, 1: 2.0, 2: 0.5}, {}, {1: 0.1}], 4)
    importance = np.array([4.0, 0.1, 2.0, 1.0], np.float32)
    found = vectors.prune(max_ratio=0.25, importance=importance)  # 4, .2, 1 of the first row
    assert found.to_dicts() == [{0: 1.0, 2: 0.5}, {}, {1: pytest.approx(0.1)}]
    with pytest.raises(InvalidSettingError, match="importance has shape"):
        vectors.prune(max_ratio=0.5, importance=importance[:3])
