"""Whole scores of some documents, found by an approximate search."""

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
    """int64 ndarray as long as `ordinals`: Σ weight × impact over all terms for each document, which must be there.

    Raises `CorruptionError` where a segment's directory cannot be right.
    """
    from lsr.index.kernels import locate
    from lsr.index.score_kernels import score_documents

    scores = np.zeros(len(ordinals), np.int64)
    for segment in segments:
        slots = segment.n_superblocks * len(terms)
        starts = np.empty(slots, np.int64)
        lengths, greatest, rows = np.empty((3, slots), np.int32)
        numbers = np.empty(len(terms), np.int32)
        damaged = locate(
            terms,
            segment.terms,
            segment.frequencies,
            segment.borders,
            segment.supers,
            segment.counts,
            segment.peaks,
            segment.data_starts,
            segment.row_starts,
            segment.n_docs,
            starts,
            lengths,
            greatest,
            rows,
            numbers,
        )
        if damaged >= 0:
            raise segment.damaged_directory(damaged)
        places = segment.find(ordinals)
        score_documents(segment.data, segment.data16, segment.n_docs, starts, lengths, weights, places, scores)
    return scores
