"""`SparseVectors`: a batch of term-weight vectors, the currency between encoders, index and evaluation.

Knows what a valid vector is and how to convert, cut and join batches. Knows nothing of text, nor where terms come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, InvalidVectorsError

if TYPE_CHECKING:
    import scipy.sparse
    import torch

#: Largest legal dimension: term ids are 32 bits.
MAX_DIM = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class SparseVectors:
    """A batch of n sparse vectors in compressed rows.

    Row i has the terms `terms[indptr[i]:indptr[i + 1]]`, ascending and unique, and the weights at the same places.

    Parameters
    ----------
    indptr : int64 ndarray of shape (n + 1,)
        Row borders, from 0 to nnz, not decreasing.
    terms : uint32 ndarray of shape (nnz,)
        Term ids below `dim`.
    weights : float32 ndarray of shape (nnz,)
        Finite and greater than 0.
    dim : int
        Size of the vocabulary, 0 to 2³².

    Raises
    ------
    InvalidVectorsError
        Where any of this does not hold; the message names the first offending row.
    """

    indptr: NDArray[np.int64]
    terms: NDArray[np.uint32]
    weights: NDArray[np.float32]
    dim: int

    def __post_init__(self) -> None:
        _check(self.indptr, self.terms, self.weights, self.dim)

    # -- making ---------------------------------------------------------------------------------------------------

    @classmethod
    def empty(cls, rows: int, dim: int) -> SparseVectors:
        """`rows` vectors without any term."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.float32), dim)

    @classmethod
    def unchecked(
        cls, indptr: NDArray[np.int64], terms: NDArray[np.uint32], weights: NDArray[np.float32], dim: int
    ) -> SparseVectors:
        """Without the check, for code that has just made rows which hold every invariant: the check of a query of ten
        terms takes as long as its tokenising.
        """
        made = object.__new__(cls)
        for name, value in (("indptr", indptr), ("terms", terms), ("weights", weights), ("dim", dim)):
            object.__setattr__(made, name, value)
        return made

    @classmethod
    def from_dicts(cls, rows: Iterable[Mapping[int, float]], dim: int) -> SparseVectors:
        """From `{term: weight}` mappings; zero weights are dropped, negative or infinite ones refused."""
        terms: list[int] = []
        weights: list[float] = []
        indptr = [0]
        for number, row in enumerate(rows):
            for term, weight in sorted(row.items()):
                if not isinstance(term, int | np.integer):
                    raise InvalidVectorsError(f"row {number}: term {term!r} is not an integer")
                if not 0 <= term < dim:
                    raise InvalidVectorsError(f"row {number}: term {term} is outside 0..{dim - 1}")
                terms.append(int(term))
                weights.append(weight)
            indptr.append(len(terms))
        return cls._narrowed(np.array(indptr, np.int64), np.array(terms, np.uint32), np.array(weights, np.float64), dim)

    @classmethod
    def from_dense(cls, matrix: NDArray[np.floating[Any]]) -> SparseVectors:
        """From a (n, dim) array; zeros are dropped, negative or infinite entries refused."""
        if matrix.ndim != 2:
            raise InvalidVectorsError(f"a dense batch has 2 axes, not {matrix.ndim}")
        rows, terms = np.nonzero(matrix)
        indptr = np.zeros(len(matrix) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(matrix)), out=indptr[1:])
        return cls._narrowed(indptr, terms.astype(np.uint32), matrix[rows, terms], matrix.shape[1])

    @classmethod
    def from_scipy(cls, matrix: scipy.sparse.sparray | scipy.sparse.spmatrix) -> SparseVectors:
        """From any SciPy sparse matrix of shape (n, dim); duplicates are summed, explicit zeros dropped."""
        csr = matrix.tocsr(copy=True)
        csr.sum_duplicates()
        return cls._narrowed(csr.indptr.astype(np.int64), csr.indices.astype(np.uint32), csr.data, csr.shape[1])

    @classmethod
    def from_torch(cls, tensor: torch.Tensor) -> SparseVectors:
        """From a torch tensor of shape (n, dim): dense, or sparse in COO or CSR layout."""
        import torch

        if tensor.layout == torch.strided:
            return cls.from_dense(tensor.detach().cpu().float().numpy())
        coo = tensor.detach().cpu().to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
        rows, terms = coo.indices().numpy()
        indptr = np.zeros(coo.shape[0] + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=coo.shape[0]), out=indptr[1:])
        return cls._narrowed(indptr, terms.astype(np.uint32), coo.values().float().numpy(), coo.shape[1])

    @classmethod
    def _narrowed(
        cls, indptr: NDArray[np.int64], terms: NDArray[np.uint32], weights: NDArray[Any], dim: int
    ) -> SparseVectors:
        """With weights of any real dtype, whose zeros are dropped; so are those that float32 rounds to zero."""
        with np.errstate(over="ignore", under="ignore"):  # beyond float32 they become infinite and are refused by name
            narrow = weights.astype(np.float32)
        keep = narrow != 0
        if not keep.all():
            indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep, dtype=np.int64)])[indptr]
        return cls(indptr, terms[keep], narrow[keep], dim)

    @classmethod
    def concat(cls, batches: Sequence[SparseVectors]) -> SparseVectors:
        """The rows of all batches in order; all must have the same dimension, and there must be one at least."""
        if not batches:
            raise InvalidVectorsError("nothing to join: no batch was given")
        dims = {batch.dim for batch in batches}
        if len(dims) > 1:
            raise InvalidVectorsError(f"batches of different dimensions cannot be joined: {sorted(dims)}")
        starts = np.cumsum([0] + [batch.nnz for batch in batches])
        indptr = [batches[0].indptr[:1]]
        indptr += [batch.indptr[1:] + start for batch, start in zip(batches, starts, strict=False)]
        return cls(
            np.concatenate(indptr),
            np.concatenate([batch.terms for batch in batches]),
            np.concatenate([batch.weights for batch in batches]),
            dims.pop(),
        )

    # -- reading --------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __iter__(self) -> Iterator[SparseVectors]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, rows: int | slice | Sequence[int] | NDArray[np.integer[Any]]) -> SparseVectors:
        """A batch of the chosen rows; an integer gives a batch of one."""
        if isinstance(rows, int | np.integer):
            number = int(rows)
            if not -len(self) <= number < len(self):
                raise IndexError(f"row {number} of {len(self)}")
            number %= len(self)
            start, stop = self.indptr[number], self.indptr[number + 1]
            indptr = np.array([0, stop - start], np.int64)
            return SparseVectors(indptr, self.terms[start:stop], self.weights[start:stop], self.dim)
        chosen = np.arange(len(self))[rows]
        starts, lengths = self.indptr[chosen], np.diff(self.indptr)[chosen]
        indptr = np.zeros(len(chosen) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        places = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return SparseVectors(indptr, self.terms[places], self.weights[places], self.dim)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SparseVectors)
            and self.dim == other.dim
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.terms, other.terms)
            and np.array_equal(self.weights, other.weights)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SparseVectors(rows={len(self)}, nnz={self.nnz}, dim={self.dim})"

    @property
    def nnz(self) -> int:
        """Number of stored weights in all rows."""
        return len(self.terms)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 ndarray of shape (n,): terms in each row."""
        return np.diff(self.indptr)

    @property
    def row_numbers(self) -> NDArray[np.int64]:
        """int64 ndarray of shape (nnz,): the row that each stored weight belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def to_dicts(self) -> list[dict[int, float]]:
        """One `{term: weight}` a row."""
        return [dict(zip(row.terms.tolist(), row.weights.tolist(), strict=True)) for row in self]

    def to_dense(self) -> NDArray[np.float32]:
        """float32 ndarray of shape (n, dim)."""
        matrix = np.zeros((len(self), self.dim), np.float32)
        matrix[self.row_numbers, self.terms] = self.weights
        return matrix

    def to_scipy(self) -> scipy.sparse.csr_array:
        """SciPy CSR array of shape (n, dim), float32; a copy, so that it may be changed."""
        import scipy.sparse

        shape = (len(self), self.dim)
        return scipy.sparse.csr_array((self.weights, self.terms.astype(np.int64), self.indptr), shape=shape, copy=True)

    def to_torch(self) -> torch.Tensor:
        """Torch COO tensor of shape (n, dim), float32, coalesced."""
        import torch

        places = torch.from_numpy(np.stack([self.row_numbers, self.terms.astype(np.int64)]))
        values = torch.from_numpy(self.weights.copy())
        return torch.sparse_coo_tensor(places, values, (len(self), self.dim), check_invariants=True).coalesce()

    # -- cutting --------------------------------------------------------------------------------------------------

    def filter(self, keep: NDArray[np.bool_]) -> SparseVectors:
        """Only the weights at the true places of `keep`, bool ndarray of shape (nnz,)."""
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep, dtype=np.int64)])[self.indptr]
        return SparseVectors(indptr, self.terms[keep], self.weights[keep], self.dim)

    def prune(
        self,
        *,
        top_k: int | None = None,
        max_ratio: float | None = None,
        threshold: float | None = None,
        alpha_mass: float | None = None,
        importance: NDArray[np.float32] | None = None,
    ) -> SparseVectors:
        """Drop the lighter terms of each row; with several rules a term must pass them all.

        Parameters
        ----------
        top_k : int >= 1
            Keep the k heaviest terms (of equal weights the lower term id).
        max_ratio : float in [0, 1]
            Keep weights >= max_ratio × the row's greatest weight, the product rounded to float32 as weights are.
        threshold : float >= 0
            Keep weights >= threshold, rounded to float32 as weights are: a weight of "0.7" passes a threshold of .7.
        alpha_mass : float in (0, 1]
            From the heaviest down, keep while the kept sum is <= alpha_mass × the row's sum, and one term at least.
        importance : float32 ndarray of shape (dim,), optional
            The rules look at weight × the term's importance instead; what is kept keeps its weight. With an idf table
            they drop what adds little to a score.

        The rules are those of OpenSearch's sparse pruning (`PruneUtils`), each computed on the unpruned row.
        """
        if top_k is not None and (not isinstance(top_k, int | np.integer) or top_k < 1):
            raise InvalidSettingError(f"prune: top_k is {top_k}, it must be a whole number of 1 or more")
        if max_ratio is not None and not 0 <= max_ratio <= 1:
            raise InvalidSettingError(f"prune: max_ratio is {max_ratio}, it must be within 0 and 1")
        if threshold is not None and not threshold >= 0:
            raise InvalidSettingError(f"prune: threshold is {threshold}, it must be 0 or more")
        if alpha_mass is not None and not 0 < alpha_mass <= 1:
            raise InvalidSettingError(f"prune: alpha_mass is {alpha_mass}, it must be above 0 and at most 1")
        if importance is not None and importance.shape != (self.dim,):
            raise InvalidSettingError(f"prune: importance has shape {importance.shape}, it must be ({self.dim},)")
        keep = np.ones(self.nnz, bool)
        if self.nnz == 0:
            return self
        weights = self.weights if importance is None else self.weights * importance[self.terms]
        if threshold is not None:
            with np.errstate(over="ignore"):  # no weight reaches a threshold beyond float32
                keep &= weights >= np.float32(threshold)
        filled = np.flatnonzero(self.lengths)
        starts = self.indptr[filled]
        lengths = self.lengths[filled]
        if max_ratio is not None:
            peaks = np.maximum.reduceat(weights, starts).astype(np.float64)
            keep &= weights >= np.repeat(peaks * max_ratio, lengths).astype(np.float32)
        if top_k is not None or alpha_mass is not None:
            order = np.lexsort((self.terms, -weights, self.row_numbers))
            if top_k is not None:
                rank = np.empty(self.nnz, np.int64)
                rank[order] = np.arange(self.nnz) - np.repeat(starts, lengths)
                keep &= rank < top_k
            if alpha_mass is not None:
                heavy_first = weights[order].astype(np.float64)
                for start, stop in zip(starts, starts + lengths, strict=True):
                    sums = np.cumsum(heavy_first[start:stop])
                    beyond = sums > alpha_mass * sums[-1]
                    beyond[0] = False
                    keep[order[start:stop][beyond]] = False
        return self.filter(keep)


def _check(indptr: NDArray[np.int64], terms: NDArray[np.uint32], weights: NDArray[np.float32], dim: int) -> None:
    for name, array, dtype in (
        ("indptr", indptr, np.int64),
        ("terms", terms, np.uint32),
        ("weights", weights, np.float32),
    ):
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != dtype:
            found = f"{array.dtype} of {array.ndim} axes" if isinstance(array, np.ndarray) else type(array).__name__
            raise InvalidVectorsError(f"{name} is {found}, it must be a one-dimensional {np.dtype(dtype)} array")
    if not isinstance(dim, int | np.integer) or not 0 <= dim <= MAX_DIM:
        raise InvalidVectorsError(f"dim is {dim!r}, it must be a whole number within 0 and 2**32")
    if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != len(terms) or len(terms) != len(weights):
        ends = "nothing" if len(indptr) == 0 else f"{indptr[0]} to {indptr[-1]}"
        raise InvalidVectorsError(f"indptr spans {ends} over {len(terms)} terms and {len(weights)} weights")
    if (np.diff(indptr) < 0).any():
        raise InvalidVectorsError(f"indptr decreases after row {int(np.argmax(np.diff(indptr) < 0))}")
    if len(terms) == 0:
        return

    def row_of(place: int) -> int:
        return int(np.searchsorted(indptr, place, side="right")) - 1

    bad = ~(np.isfinite(weights) & (weights > 0))
    if bad.any():
        place = int(np.argmax(bad))
        raise InvalidVectorsError(
            f"row {row_of(place)}: term {terms[place]} has weight {weights[place]}, weights must be finite and above 0"
        )
    if terms.max() >= dim:
        place = int(np.argmax(terms >= dim))
        raise InvalidVectorsError(f"row {row_of(place)}: term {terms[place]} is outside 0..{dim - 1}")
    ascending = terms[1:] > terms[:-1]
    borders = indptr[1:-1]
    ascending[borders[(borders > 0) & (borders < len(terms))] - 1] = True
    if not ascending.all():
        place = int(np.argmin(ascending)) + 1
        raise InvalidVectorsError(
            f"row {row_of(place)}: term {terms[place]} follows {terms[place - 1]}, terms must ascend"
        )
