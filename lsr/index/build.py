"""Vectors to a segment file: terms renumbered densely, weights quantised, postings counted and placed by superblock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.index.compile import load_build_kernels
from lsr.index.files import FileSummary, write_arrays
from lsr.index.layout import MAX_ORDINAL, SUPERBLOCK
from lsr.index.quantize import quantize_impacts
from lsr.vectors import SparseVectors


def write_segment(path: Path, vectors: SparseVectors, ordinals: NDArray[np.int64], ceiling: float) -> FileSummary:
    """Write one immutable segment; the caller flushes the folder.

    Parameters
    ----------
    path : Path
        Must not exist yet.
    vectors : SparseVectors of n rows
        The weights to index, none above `ceiling`. Rows may be empty.
    ordinals : int64 ndarray of shape (n,)
        Ascending, 0 to 2³² − 2: what the index calls these documents.
    ceiling : float
        The weight that impact 255 stands for, the same in all segments of an index.
    """
    load_build_kernels()
    from lsr.index.build_kernels import count_postings, place_postings

    n_docs = len(vectors)
    if len(ordinals) != n_docs:
        raise ValueError(f"{len(ordinals)} ordinals for {n_docs} vectors")
    if n_docs and (ordinals[0] < 0 or ordinals[-1] >= MAX_ORDINAL or (np.diff(ordinals) <= 0).any()):
        raise ValueError(f"ordinals must ascend within 0 and {MAX_ORDINAL - 1}")
    terms, numbers = _renumber(vectors.terms)
    n_superblocks = -(-n_docs // SUPERBLOCK)
    starts = np.zeros(n_superblocks * len(terms) + 1, np.int64)
    count_postings(vectors.indptr, numbers, len(terms), starts[1:])
    np.cumsum(starts, out=starts)
    docs = np.empty(vectors.nnz, np.uint16)
    impacts = np.empty(vectors.nnz, np.uint8)
    peaks = np.zeros(n_superblocks * len(terms), np.uint8)
    row_impacts = quantize_impacts(vectors.weights, ceiling)
    cursor = starts[:-1].copy()
    place_postings(vectors.indptr, numbers, row_impacts, len(terms), cursor, docs, impacts, peaks)
    frequencies = np.diff(starts).reshape(n_superblocks, len(terms)).sum(axis=0)
    base = int(ordinals[0]) if n_docs else 0
    return write_arrays(
        path,
        {"documents": n_docs, "superblock": SUPERBLOCK, "ceiling": ceiling, "ordinal_base": base},
        {
            "terms": terms,
            "frequencies": frequencies.astype(np.uint32),
            "starts": starts,
            "peaks": peaks,
            "ordinals": (ordinals - base).astype(np.uint32),
            "docs": docs,
            "impacts": impacts,
        },
    )


def _renumber(terms: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The distinct terms, ascending, and for each given term its number among them."""
    if len(terms) == 0:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    highest = int(terms.max())
    if highest > 64 * len(terms) + (1 << 20):  # ids far apart: a table of all would cost more than sorting
        distinct, numbers = np.unique(terms, return_inverse=True)
        return distinct, numbers.astype(np.uint32)
    present = np.zeros(highest + 1, bool)
    present[terms] = True
    table = np.cumsum(present, dtype=np.uint32) - np.uint32(1)
    return np.flatnonzero(present).astype(np.uint32), table[terms]
