"""The slow obvious versions that kernels are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsr.vectors import SparseVectors


def brute_force(
    impacts: NDArray[np.int64],
    ordinals: NDArray[np.int64],
    alive: NDArray[np.bool_],
    weights: NDArray[np.int64],
    k: int,
) -> list[tuple[int, int]]:
    """(score, ordinal) of the k best: a dense product, a sort by score falling and ordinal rising, zeros left out.

    impacts : int64 ndarray of shape (documents, dim); weights : int64 ndarray of shape (dim,)
    """
    scores = impacts @ weights
    found = [(int(score), int(o)) for score, o, living in zip(scores, ordinals, alive, strict=True) if living and score]
    return sorted(found, key=lambda hit: (-hit[0], hit[1]))[:k]


def random_vectors(rng: np.random.Generator, rows: int, dim: int, longest: int, levels: int = 0) -> SparseVectors:
    """Rows of 0 to `longest` terms; few `levels` make many ties."""
    dicts = []
    for _ in range(rows):
        terms = rng.choice(dim, size=rng.integers(0, min(longest, dim) + 1), replace=False)
        weights = rng.integers(1, levels + 1, len(terms)) / levels if levels else rng.gamma(2.0, 0.5, len(terms)) + 1e-3
        dicts.append(dict(zip(terms.tolist(), weights.tolist(), strict=True)))
    return SparseVectors.from_dicts(dicts, dim)
