"""Rows for the benchmarks of writing: seeded vectors of a power law, and where results go."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsr.vectors import SparseVectors

VOCABULARY = 30522
RESULTS = Path(__file__).parent / "results"


def make_vectors(rng: np.random.Generator, rows: int, terms: int, skew: float) -> SparseVectors:
    """Rows of about `terms` distinct terms, drawn by a power law, gamma-distributed weights."""
    chances = 1 / np.arange(1, VOCABULARY + 1) ** skew
    drawn = rng.choice(VOCABULARY, size=(rows, terms), p=chances / chances.sum()).astype(np.uint32)
    drawn.sort(axis=1)
    keep = np.ones_like(drawn, bool)
    keep[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
    indptr = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int64)
    weights = rng.gamma(2.0, 0.4, int(keep.sum())).astype(np.float32) + np.float32(0.01)
    return SparseVectors(indptr, drawn[keep], weights, VOCABULARY)
