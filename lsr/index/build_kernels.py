"""The loops of building, under the same rules as kernels.py; apart from it so that a search need not load them."""

from __future__ import annotations

# Compiled in: layout.py 8014ca03
import numpy as np
from numba import njit, types

from lsr.index import layout
from lsr.index.layout import BLOCK, DENSE, KTH, PLAIN, ROW, ROW_FROM, SPAN, SPAN_TABLE, SPANNED, SUPERBLOCK

_i8 = types.Array(types.int64, 1, "C", readonly=True)
_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u2 = types.Array(types.uint16, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i8_out = types.Array(types.int64, 1, "C")
_u1_out = types.Array(types.uint8, 1, "C")
_u2_out = types.Array(types.uint16, 1, "C")
_u4_out = types.Array(types.uint32, 1, "C")

list_kind = njit(types.int64(types.int64, types.int64), cache=True, nogil=True)(layout.list_kind)
list_bytes = njit(types.int64(types.int64, types.int64), cache=True, nogil=True)(layout.list_bytes)


@njit(types.void(_u4, _i8_out), cache=True, nogil=True)
def count_terms(numbers: np.ndarray, counts: np.ndarray) -> None:
    """Add to `counts[t]` how often term number t stands in `numbers`."""
    for number in numbers:
        counts[number] += 1


@njit(types.void(_i8, _u4, _u1, _i8_out, _u2_out, _u1_out, _u1_out), cache=True, nogil=True)
def place_postings(
    indptr: np.ndarray,
    numbers: np.ndarray,
    row_impacts: np.ndarray,
    cursor: np.ndarray,
    docs: np.ndarray,
    impacts: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """Counting sort of the rows of one superblock into lists.

    `cursor[t]` enters as the start of term number t's list and leaves as its end; `peaks[t]` rises to its greatest
    impact.
    """
    first = indptr[0]
    for row in range(len(indptr) - 1):
        for p in range(indptr[row] - first, indptr[row + 1] - first):
            number = numbers[p]
            place = cursor[number]
            docs[place] = row
            impacts[place] = row_impacts[p]
            peaks[number] = max(peaks[number], row_impacts[p])
            cursor[number] = place + 1


@njit(types.void(_u2, _u1, types.int64, _u1_out), cache=True, nogil=True)
def write_list(docs: np.ndarray, impacts: np.ndarray, documents: int, out: np.ndarray) -> None:
    """Write one list in the form that `list_kind` says; `out` is all 0 and has `list_bytes` bytes."""
    count = len(docs)
    kind = list_kind(count, documents)
    if kind == DENSE:
        for i in range(count):
            out[docs[i]] = impacts[i]
        return
    if kind == PLAIN:
        for i in range(count):
            out[2 * i] = docs[i] & 255
            out[2 * i + 1] = docs[i] >> 8
            out[2 * count + i] = impacts[i]
        return
    i = 0
    for span in range(SUPERBLOCK // SPAN + 1):
        while i < count and docs[i] < span * SPAN:
            i += 1
        out[2 * span] = i & 255
        out[2 * span + 1] = i >> 8
    for i in range(count):
        out[SPAN_TABLE + i] = docs[i] & 255
        out[SPAN_TABLE + count + i] = impacts[i]


@njit(types.void(_u2, _u1, _i8, _i8, types.int64, _i8, _u1_out, _u1_out), cache=True, nogil=True)
def write_lists(
    docs: np.ndarray,
    impacts: np.ndarray,
    begins: np.ndarray,
    counts: np.ndarray,
    documents: int,
    places: np.ndarray,
    out: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Write all lists of a superblock, list i at `out[places[i]:]`, and one after the other the rows of the long ones.

    List i has `counts[i]` postings from `begins[i]` of `docs` and `impacts`. A row holds the greatest impact of each
    block.
    """
    row = 0
    for i in range(len(counts)):
        low, high = begins[i], begins[i] + counts[i]
        write_list(docs[low:high], impacts[low:high], documents, out[places[i] : places[i + 1]])
        if counts[i] >= ROW_FROM:
            for p in range(low, high):
                block = row * ROW + docs[p] // BLOCK
                rows[block] = max(rows[block], impacts[p])
            row += 1


@njit(types.void(_u1, _i8, _i8, _i8, _u1_out), cache=True, nogil=True)
def copy_pieces(source: np.ndarray, starts: np.ndarray, places: np.ndarray, sizes: np.ndarray, out: np.ndarray) -> None:
    """Copy `sizes[i]` bytes from `source[starts[i]:]` to `out[places[i]:]`, for every i."""
    for i in range(len(starts)):
        a, b, size = starts[i], places[i], sizes[i]
        out[b : b + size] = source[a : a + size]


@njit(types.void(_i8, _u4, _u1, _i8, _i8, _u4_out, _u1_out), cache=True, nogil=True)
def gather_rows(
    indptr: np.ndarray,
    terms: np.ndarray,
    impacts: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    out_terms: np.ndarray,
    out_impacts: np.ndarray,
) -> None:
    """Copy row `rows[i]` of the collection to `places[i]` of the output, for every i."""
    for i in range(len(rows)):
        low, high = indptr[rows[i]], indptr[rows[i] + 1]
        for p in range(high - low):
            out_terms[places[i] + p] = terms[low + p]
            out_impacts[places[i] + p] = impacts[low + p]


@njit(types.void(_u1, _i8, _i8, _i8, _i8, _u1_out), cache=True, nogil=True)
def kth_impacts(
    data: np.ndarray,
    borders: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    documents: np.ndarray,
    out: np.ndarray,
) -> None:
    """For each term its 10th, 100th and 1,000th greatest impact, 0 where it has fewer postings; `out` is all 0.

    Term t has the lists from `borders[t]` to `borders[t + 1]`. List i begins at `data[starts[i]]` and has `counts[i]`
    postings in a superblock of `documents[i]`.
    """
    histogram = np.zeros(256, np.int64)
    for term in range(len(borders) - 1):
        first, last = borders[term], borders[term + 1]
        if counts[first:last].sum() < KTH[0]:
            continue
        histogram[:] = 0
        for i in range(first, last):
            count, at = counts[i], starts[i]
            kind = list_kind(count, documents[i])
            low, high = at, at + list_bytes(count, documents[i])
            if kind == PLAIN:
                low, high = at + 2 * count, at + 3 * count
            elif kind == SPANNED:
                low = at + SPAN_TABLE + count
            for impact in data[low:high]:
                histogram[impact] += 1
        place = 0
        reached = 0
        for impact in range(255, 0, -1):
            reached += histogram[impact]
            while place < len(KTH) and reached >= KTH[place]:
                out[term * len(KTH) + place] = impact
                place += 1
