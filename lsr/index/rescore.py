"""Whole scores of some documents, found by an approximate search. Plain NumPy over the lists of the query's terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.index.segment import Segment


def rescore(
    segments: Sequence[Segment],
    ordinals: NDArray[np.int64],
    terms: NDArray[np.uint32],
    weights: NDArray[np.uint32],
) -> NDArray[np.int64]:
    """int64 ndarray as long as `ordinals`: Σ weight × impact over all terms for each document, which must be there."""
    scores = np.zeros(len(ordinals), np.int64)
    for segment in segments:
        for slot, ordinal in enumerate(ordinals.tolist()):
            if (place := segment.locate(ordinal)) is not None:
                scores[slot] = segment.impacts_of(place, terms).astype(np.int64) @ weights.astype(np.int64)
    return scores
