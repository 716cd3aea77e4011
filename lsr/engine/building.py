"""The one place where a segment file is made of stored vectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder
from lsr.index.build import write_segment
from lsr.store.records import SegmentRow, State
from lsr.vectors import SparseVectors


def build_segment(
    path: Path, batches: Iterable[tuple[NDArray[np.int64], SparseVectors]], encoder: Encoder, state: State
) -> SegmentRow | None:
    """Write a segment and flush it; the caller flushes the folder. None, and no file, where there is no document.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    batches : iterable of (ordinals, vectors)
        Encoded documents by ascending ordinals.
    state : State
        Its calibration (`average_length`, `ceiling`) turns encoded weights into impacts.
    """
    parts = list(batches)
    if not parts:
        return None
    ordinals = np.concatenate([numbers for numbers, _ in parts])
    if len(ordinals) == 0:
        return None
    vectors = parts[0][1] if len(parts) == 1 else SparseVectors.concat([batch for _, batch in parts])
    weights = encoder.impacts(vectors, state.average_length)
    ceiling = state.ceiling or 1.0  # documents without any term at all leave no scale to take
    file = write_segment(path, weights, ordinals, ceiling)
    return SegmentRow(path.name, int(ordinals[0]), int(ordinals[-1]), len(ordinals), weights.nnz, file)
