"""The loops of adding lists up: compiled by numba, plain arrays in and filled. No validation, no policy, no Python.

The caller (search.py) guarantees every bound that is relied on here, but for the directory of the segment, which
directory_kernels.py checks. tests/index_oracle.py has the slow obvious
version. Importing this module loads the compiled code, or compiles it: go through compile.py, which can say so.
"""

from __future__ import annotations

# Compiled in: intrinsics.py 9bdb35e1, layout.py 8014ca03
import numpy as np
from numba import njit, types

from lsr.index import layout
from lsr.index.intrinsics import prefetch
from lsr.index.layout import DENSE, PLAIN, SPAN, SPAN_TABLE, SUPERBLOCK

_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u2 = types.Array(types.uint16, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8 = types.Array(types.int64, 1, "C", readonly=True)
_i4 = types.Array(types.int32, 1, "C", readonly=True)
_i8_out = types.Array(types.int64, 1, "C")
_i4_out = types.Array(types.int32, 1, "C")
_u1_out = types.Array(types.uint8, 1, "C")

#: Which lists of a superblock `add_lists` adds.
ALL, SHORT, LONG = 0, 1, 2

list_kind = njit(types.int64(types.int64, types.int64), cache=True, nogil=True)(layout.list_kind)
list_bytes = njit(types.int64(types.int64, types.int64), cache=True, nogil=True)(layout.list_bytes)


@njit(cache=True, nogil=True)
def add_plain(sums: np.ndarray, ids: np.ndarray, impacts: np.ndarray, weight: int) -> None:
    """Add weight × impact of the postings of a plain list to the sums of their documents."""
    for p in range(len(ids)):
        sums[ids[p]] += weight * impacts[p]


@njit(cache=True, nogil=True)
def add_span(sums: np.ndarray, ids: np.ndarray, impacts: np.ndarray, weight: int) -> None:
    """The same for the postings of one span; `sums` are those of its documents."""
    for p in range(len(ids)):
        sums[ids[p]] += weight * impacts[p]


@njit(cache=True, nogil=True)
def add_dense(sums: np.ndarray, impacts: np.ndarray, weight: int) -> None:
    """The same for a dense list, or a part of one: one impact a document, 0 for none."""
    for p in range(len(impacts)):
        sums[p] += weight * impacts[p]


@njit(cache=True, nogil=True)
def add_list(
    sums: np.ndarray, data: np.ndarray, data16: np.ndarray, at: int, count: int, documents: int, weight: int
) -> None:
    """Add a whole list of whichever kind to the sums of its superblock. The caller knows that no sum overflows."""
    kind = list_kind(count, documents)
    if kind == PLAIN:
        add_plain(sums, data16[at >> 1 : (at >> 1) + count], data[at + 2 * count : at + 3 * count], weight)
    elif kind == DENSE:
        add_dense(sums, data[at : at + list_bytes(count, documents)], weight)
    else:
        table = data16[at >> 1 : (at + SPAN_TABLE) >> 1]
        ids = data[at + SPAN_TABLE : at + SPAN_TABLE + count]
        impacts = data[at + SPAN_TABLE + count : at + SPAN_TABLE + 2 * count]
        for span in range(SUPERBLOCK // SPAN):
            # A damaged table may say anything; slices end where the list does.
            low, high = np.int64(table[span]), np.int64(table[span + 1])
            add_span(sums[span * SPAN : (span + 1) * SPAN], ids[low:high], impacts[low:high], weight)


@njit(cache=True, nogil=True)
def begin_list(data: np.ndarray, at: int, count: int, documents: int) -> None:
    """Ask for where a list's document numbers and impacts begin."""
    size = list_bytes(count, documents)
    for line in range(0, min(size, 1024), 64):
        prefetch(data, at + line)
    if list_kind(count, documents) != DENSE:
        second = size - count
        for line in range(0, min(count, 512), 64):
            prefetch(data, at + second + line)


@njit(cache=True, nogil=True)
def is_wanted(count: int, row: int, which: int) -> bool:
    """Whether `add_lists` adds a list of so many postings and such a row."""
    return count > 0 and (which == ALL or (which == SHORT) == (row < 0))


@njit(cache=True, nogil=True)
def add_lists(
    sums: np.ndarray,
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    documents: int,
    which: int,
) -> int:
    """Add whole lists of a superblock to its sums: all, or those without a row, or those with one, as `which` says.

    Returns how many postings these have.
    """
    width = len(weights)
    postings = np.int64(0)
    for j in range(width):
        if not is_wanted(lengths[j], rows[j], which):
            continue
        for ahead in range(j + 1, width):
            if is_wanted(lengths[ahead], rows[ahead], which):  # it comes from memory while this one is added
                begin_list(data, starts[ahead], np.int64(lengths[ahead]), documents)
                break
        count = np.int64(lengths[j])
        add_list(sums, data, data16, starts[j], count, documents, weights[j])
        postings += count
    return postings


@njit(cache=True, nogil=True)
def fetch_short(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, rows: np.ndarray, documents: int) -> None:
    """Ask for all lists without a row of a superblock."""
    for j in range(len(lengths)):
        if is_wanted(lengths[j], rows[j], SHORT):
            at = starts[j]
            for line in range(0, list_bytes(np.int64(lengths[j]), documents), 64):
                prefetch(data, at + line)


@njit(cache=True, nogil=True)
def add_short(
    sums: np.ndarray,
    data: np.ndarray,
    data16: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    documents: int,
    next_starts: np.ndarray,
    next_lengths: np.ndarray,
    next_rows: np.ndarray,
    next_documents: int,
) -> int:
    """`add_lists` of those without a row; those of the next superblock come from memory meanwhile."""
    postings = np.int64(0)
    for j in range(len(weights)):
        if is_wanted(next_lengths[j], next_rows[j], SHORT):
            at = next_starts[j]
            for line in range(0, list_bytes(np.int64(next_lengths[j]), next_documents), 64):
                prefetch(data, at + line)
        if is_wanted(lengths[j], rows[j], SHORT):
            count = np.int64(lengths[j])
            add_list(sums, data, data16, starts[j], count, documents, weights[j])
            postings += count
    return postings
