"""Vectors to a segment file: terms renumbered densely, weights quantised, postings counted and placed by superblock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    n_docs = len(vectors)
    if len(ordinals) != n_docs:
        raise ValueError(f"{len(ordinals)} ordinals for {n_docs} vectors")
    if n_docs and (ordinals[0] < 0 or ordinals[-1] >= MAX_ORDINAL or (np.diff(ordinals) <= 0).any()):
        raise ValueError(f"ordinals must ascend within 0 and {MAX_ORDINAL - 1}")
    terms, numbers = _renumber(vectors.terms)
    base = int(ordinals[0]) if n_docs else 0
    return write_arrays(
        path,
        {"documents": n_docs, "superblock": SUPERBLOCK, "ceiling": ceiling, "ordinal_base": base},
        {
            "terms": terms,
            "frequencies": np.bincount(numbers, minlength=len(terms)).astype(np.uint32),
            **_lists(vectors.indptr, terms, numbers, quantize_impacts(vectors.weights, ceiling)),
            "ordinals": (ordinals - base).astype(np.uint32),
        },
    )


def _lists(
    indptr: NDArray[np.int64], terms: NDArray[np.uint32], numbers: NDArray[np.uint32], row_impacts: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """Posting lists by superblock, and the directory of those that are not empty; see index/FORMAT.md."""
    load_build_kernels()
    from lsr.index.build_kernels import count_terms, place_postings

    n_docs = len(indptr) - 1
    docs = np.empty(len(numbers), np.uint16)
    impacts = np.empty(len(numbers), np.uint8)
    borders, lists, starts, peaks = [0], [], [], []
    cursor = np.zeros(len(terms), np.int64)
    for first in range(0, n_docs, SUPERBLOCK):
        last = min(first + SUPERBLOCK, n_docs)
        low, high = int(indptr[first]), int(indptr[last])
        counts = np.zeros(len(terms), np.int64)
        count_terms(numbers, low, high, counts)
        present = np.flatnonzero(counts)
        counts = counts[present]
        begins = low + np.cumsum(counts) - counts
        cursor[present] = begins
        greatest = np.zeros(len(terms), np.uint8)
        place_postings(indptr, numbers, row_impacts, first, last, cursor, docs, impacts, greatest)
        borders.append(borders[-1] + len(present))
        lists.append(terms[present])
        starts.append(begins)
        peaks.append(greatest[present])
    end = np.array([len(numbers)], np.int64)
    return {
        "borders": np.array(borders, np.int64),
        "lists": np.concatenate([np.zeros(0, np.uint32), *lists]),
        "starts": np.concatenate([*starts, end]),
        "peaks": np.concatenate([np.zeros(0, np.uint8), *peaks]),
        "docs": docs,
        "impacts": impacts,
    }


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
