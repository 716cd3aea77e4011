"""The scan without numba: the same hits as `kernels.scan`, in NumPy, some ten times slower a posting.

For the first queries of a process, which end sooner than numba is imported: a search from the shell answers in half a
second instead of one and a half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsr.index.layout import MAX_ORDINAL, SUPERBLOCK
from lsr.index.segment import Segment


def scan_plainly(
    segment: Segment,
    terms: NDArray[np.uint32],
    weights: NDArray[np.uint32],
    alive: NDArray[np.uint8],
    best: NDArray[np.int64],
    k: int,
) -> NDArray[np.int64]:
    """The k greatest keys, in any order, of `best` and of one segment's matching documents; see `kernels.scan`."""
    for superblock, entries in enumerate(segment.find_lists(terms)):
        first = superblock * SUPERBLOCK
        sums = np.zeros(min(SUPERBLOCK, segment.n_docs - first), np.int64)
        for entry, weight in zip(entries.tolist(), weights.tolist(), strict=True):
            if entry >= 0:
                low, high = segment.starts[entry : entry + 2].tolist()
                # A document stands once in a list, so that nothing is added twice in one assignment.
                sums[segment.docs[low:high]] += segment.impacts[low:high].astype(np.int64) * weight
        if len(alive):
            sums[alive[first : first + len(sums)] == 0] = 0
        found = np.flatnonzero(sums)
        relative = segment.ordinals[first + found].astype(np.int64)
        keys = (sums[found] << 32) | (MAX_ORDINAL - segment.ordinal_base - relative)
        best = np.concatenate([best, keys])
        if len(best) > k:
            best = np.partition(best, len(best) - k)[len(best) - k :]
    return best
