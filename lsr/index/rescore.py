"""Whole scores of some documents, found by an approximate search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsr.index.segment import Segment


def rescore(
    segment: Segment, places: NDArray[np.int64], terms: NDArray[np.uint32], weights: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """int64 ndarray as long as `places`: Σ weight × impact over all terms for the document at each.

    Raises `CorruptionError` where the segment's directory cannot be right.
    """
    from lsr.index.score_kernels import score_documents

    scores = np.zeros(len(places), np.int64)
    lists = segment.locate_lists(terms)
    score_documents(segment.data, segment.data16, segment.n_docs, lists.starts, lists.lengths, weights, places, scores)
    return scores
