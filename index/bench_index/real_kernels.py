"""Kernels of the real collections: rows put into another order, and copies of rows varied by those of a neighbour."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from .synthetic_kernels import begin, normal, uniform


@njit(cache=True, nogil=True)
def gather(indptr: Any, terms: Any, impacts: Any, rows: Any, out_terms: Any, out_impacts: Any) -> None:
    """The postings of `rows`, one row after the other."""
    place = 0
    for row in rows:
        for p in range(indptr[row], indptr[row + 1]):
            out_terms[place] = terms[p]
            out_impacts[place] = impacts[p]
            place += 1


@njit(cache=True, nogil=True)
def leading_terms(indptr: Any, terms: Any, impacts: Any, idf: Any, out: Any) -> None:
    """For each row its three terms of highest impact × idf, uint16 (rows, 3)."""
    for row in range(len(indptr) - 1):
        first = second = third = -1.0
        for p in range(indptr[row], indptr[row + 1]):
            merit = impacts[p] * idf[terms[p]]
            if merit > first:
                first, second, third = merit, first, second
                out[row, 2], out[row, 1], out[row, 0] = out[row, 1], out[row, 0], terms[p]
            elif merit > second:
                second, third = merit, second
                out[row, 2], out[row, 1] = out[row, 1], terms[p]
            elif merit > third:
                third = merit
                out[row, 2] = terms[p]


@njit(cache=True, nogil=True)
def vary(
    seed: Any,
    first: Any,
    indptr: Any,
    terms: Any,
    impacts: Any,
    sources: Any,
    neighbours: Any,  # as long; -1: an unchanged copy
    exchanged: Any,
    jitter: Any,
    out_terms: Any,
    out_impacts: Any,
) -> None:
    """Rows as long as their sources, a share of their terms exchanged for terms of a neighbour, impacts jittered."""
    mark = np.full(65536, -1, np.int64)  # which terms row i holds
    own = np.empty(65536, np.int64)
    place = 0
    for i in range(len(sources)):
        low, high = indptr[sources[i]], indptr[sources[i] + 1]
        start = place
        if neighbours[i] < 0:
            for p in range(low, high):
                out_terms[place] = terms[p]
                out_impacts[place] = impacts[p]
                place += 1
            continue
        state = begin(seed, 64, first + i)
        for p in range(low, high):
            mark[terms[p]] = i
        other_low, other_high = indptr[neighbours[i]], indptr[neighbours[i] + 1]
        fresh = 0
        for p in range(other_low, other_high):
            if mark[terms[p]] != i:
                own[fresh] = p
                fresh += 1
        for p in range(low, high):
            taken = p
            state, u = uniform(state)
            if u < exchanged and fresh:
                state, u = uniform(state)
                slot = int(u * fresh)
                taken = own[slot]
                fresh -= 1
                own[slot] = own[fresh]
            state, z = normal(state)
            out_terms[place] = terms[taken]
            out_impacts[place] = min(max(int(impacts[taken] * math.exp(jitter * z) + 0.5), 1), 255)
            place += 1
        order = np.argsort(out_terms[start:place])
        out_terms[start:place] = out_terms[start:place][order]
        out_impacts[start:place] = out_impacts[start:place][order]
