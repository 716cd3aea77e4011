"""Weights to small integers: 8-bit document impacts, integer query weights, and the scales that lead back.

A score is Σ query integer × impact, an exact integer; times the two scales it is the float that a person sees.
Scales depend on the whole index (documents) or on the query alone (queries), never on a segment or a shard, so that
scores of the same document are equal wherever it is stored.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Impacts run from 1 to this.
MAX_IMPACT = 255

#: Steps to the octave of the grid that ceilings lie on.
_GRID = 8

#: Integer weight of a query's heaviest term. Coarser weights would keep more sums within 16 bits, but 32 levels moved
#: nDCG@10 by .0007 on SciFact where 255 move it by .0001, and 32-bit sums were measured no slower (ARCHITECTURE.md).
QUERY_LEVELS = 255


def impact_ceiling(max_weight: float) -> float:
    """The least value of the grid 2^(i/8) that is not below `max_weight`.

    The weight that impact 255 stands for. A grid, so that the ceiling is a function of the documents and not of their
    order, changes rarely as documents come in, and costs at most 9 % of resolution.
    """
    if not (math.isfinite(max_weight) and max_weight > 0):
        raise ValueError(f"a greatest weight must be finite and above 0, not {max_weight}")
    step = math.ceil(math.log2(max_weight) * _GRID)
    while 2.0 ** ((step - 1) / _GRID) >= max_weight:  # log2 may round either way
        step -= 1
    while 2.0 ** (step / _GRID) < max_weight:
        step += 1
    return float(2.0 ** (step / _GRID))


def quantize_impacts(weights: NDArray[np.float32], ceiling: float) -> NDArray[np.uint8]:
    """uint8 ndarray: weights as multiples of `ceiling / 255`, rounded half to even, at least 1: no match is lost.

    Parameters
    ----------
    weights : float32 ndarray
        Above 0 and not above `ceiling`.

    Raises
    ------
    ValueError
        Where a weight exceeds the ceiling: it must be raised first, clipping would falsify scores.
    """
    if len(weights) and float(weights.max()) > ceiling:
        raise ValueError(f"weight {weights.max()} exceeds the ceiling {ceiling}")
    steps: NDArray[np.float32] = np.rint(weights * np.float32(MAX_IMPACT / ceiling))
    return steps.clip(1, MAX_IMPACT).astype(np.uint8)


def quantize_query(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint32], float]:
    """Integer weights of one query, and the value of one unit.

    Parameters
    ----------
    weights : float32 ndarray of shape (terms,)
        Finite, above 0.

    Returns
    -------
    integers : uint32 ndarray of shape (terms,)
        1 to 255.
    scale : float
        `integers * scale` approximates `weights` to half a unit (except that no term falls to 0).
    """
    if len(weights) == 0:
        return np.zeros(0, np.uint32), 1.0
    scale = float(weights.max()) / QUERY_LEVELS
    integers = np.clip(np.rint(weights.astype(np.float64) / scale), 1, QUERY_LEVELS)
    return integers.astype(np.uint32), scale
