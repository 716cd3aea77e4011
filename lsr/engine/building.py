"""The one place where a segment file is made of stored vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder
from lsr.index.build import SegmentBuilder
from lsr.store.records import SegmentRow, State
from lsr.vectors import SparseVectors


def build_segment(
    path: Path,
    batches: Iterable[tuple[NDArray[np.int64], SparseVectors]],
    encoder: Encoder,
    state: State,
    *,
    reorder: bool = False,
) -> SegmentRow | None:
    """Write a segment and flush it; the caller flushes the folder. None, and no file, where there is no document.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    batches : iterable of (ordinals, vectors)
        Encoded documents by ascending ordinals. They are not all held in memory.
    state : State
        Its calibration (`average_length`, `ceiling`) turns encoded weights into impacts.
    reorder : bool
        Bring similar documents together, see `SegmentBuilder`.
    """
    first, last, documents, postings = -1, -1, 0, 0
    ceiling = state.ceiling or 1.0  # documents without any term at all leave no scale to take
    with SegmentBuilder(path, ceiling, reorder=reorder) as builder:
        for ordinals, vectors in batches:
            if len(ordinals) == 0:
                continue
            builder.add(encoder.impacts(vectors, state.average_length), ordinals)
            first = int(ordinals[0]) if documents == 0 else first
            last = int(ordinals[-1])
            documents += len(ordinals)
            postings += vectors.nnz
        if documents == 0:
            return None
        file = builder.finish()
    return SegmentRow(path.name, first, last, documents, postings, file)
