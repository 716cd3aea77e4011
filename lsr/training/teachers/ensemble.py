"""Heterogeneous ensemble: teachers of different kinds, each brought to one range, as one teacher.

Knows arrays of scores (arXiv 2411.04403, eq. 8 and 9). Knows nothing of where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.training.recipe import Ensemble
from lsr.training.teachers.base import Teacher


def min_max(scores: NDArray[np.float32], own: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Each row from 0 (its least score) to 1 (its greatest); a row of equal scores is all 0. NaN stays NaN.

    Parameters
    ----------
    scores : float32 ndarray of shape (Q, D)
    own : int64 ndarray of shape (Q, C), optional
        Least and greatest are taken over these columns of each row instead of all; others may lie outside 0 and 1.
    """
    seen = scores if own is None else np.take_along_axis(scores, own, 1)
    known = ~np.isnan(seen)
    least = np.where(known, seen, np.inf).min(1, keepdims=True)
    most = np.where(known, seen, -np.inf).max(1, keepdims=True)
    blank = ~known.any(1, keepdims=True)
    least, most = np.where(blank, 0, least), np.where(blank, 0, most)
    return ((scores - least) / (most - least + 1e-6)).astype(np.float32)


def ensemble_scores(
    teachers: Sequence[Teacher],
    weights: Sequence[float],
    settings: Ensemble,
    queries: NDArray[np.int64],
    documents: NDArray[np.int64],
    own: NDArray[np.int64],
) -> NDArray[np.float32]:
    """S · Σ_k α_k ŝ_k with α the weights over their sum: float32 ndarray of shape (Q, D).

    A document that some teacher did not score (NaN) is judged by the others; NaN where none did.
    """
    total = np.zeros((len(queries), len(documents)), np.float32)
    share = np.zeros_like(total)
    for teacher, weight in zip(teachers, weights, strict=True):
        found = teacher.scores(queries, documents)
        if settings.normalise == "minmax":
            found = min_max(found, own if settings.pool == "own" else None)
        known = ~np.isnan(found)
        total += np.where(known, weight * found, 0)
        share += weight * known
    mean = np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0)
    return np.float32(settings.scale) * mean
