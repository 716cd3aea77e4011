"""Weights for formats that hold integers: whole ones as they are, others as 8-bit impacts of a given ceiling.

Knows nothing of files.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, InvalidVectorsError
from lsr.index.quantize import MAX_IMPACT, quantize_impacts
from lsr.vectors import SparseVectors

#: Least and greatest ceiling: their units, and 255 by them, are floats of 32 bits.
LEAST_CEILING, _GREATEST_CEILING = 2.0**-100, 2.0**128


def is_scale(scale: float) -> bool:
    """True for a value that one unit of weight can have."""
    return math.isfinite(scale) and 2.0**-120 < scale < 2.0**120


def check_ceiling(ceiling: float | None) -> None:
    """`InvalidSettingError` where it is neither None nor a finite number above 0."""
    if ceiling is not None and not (isinstance(ceiling, int | float) and LEAST_CEILING <= ceiling <= _GREATEST_CEILING):
        raise InvalidSettingError(f"ceiling is {ceiling!r}, it must be a number within 2**-100 and 2**128")


def impacts(weights: NDArray[np.float32], ceiling: float) -> NDArray[np.uint8]:
    """uint8 ndarray: 1 to 255, of which 255 stands for `ceiling`."""
    if len(weights) and float(weights.max()) > ceiling:
        raise InvalidVectorsError(
            f"a weight is {weights.max()}, more than the ceiling {ceiling}",
            remedy="raise the ceiling to the greatest weight of all documents",
        )
    return quantize_impacts(weights, ceiling)


def unit(ceiling: float) -> float:
    """The weight that one unit of impact stands for."""
    return ceiling / MAX_IMPACT


def quantised(vectors: SparseVectors, ceiling: float | None) -> tuple[NDArray[np.float32], float]:
    """(weights to write, value of one unit): as they are without a ceiling, else impacts."""
    if ceiling is None:
        return vectors.weights, 1.0
    return impacts(vectors.weights, ceiling).astype(np.float32), unit(ceiling)


def as_numbers(weights: NDArray[np.float32]) -> list[float]:
    """Python numbers: integers where all weights are whole, else floats, which give the same float32 again."""
    if (weights == np.rint(weights)).all() and (not len(weights) or float(weights.max()) < 2.0**53):
        whole: list[float] = weights.astype(np.int64).tolist()
        return whole
    floats: list[float] = weights.tolist()
    return floats
