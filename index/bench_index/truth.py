"""The scores that exact top-k lists end with, computed plainly and apart from every engine, and recall against them.

Recall of a list is the share of its k places that hold a document whose exact integer score reaches the exact k-th
score; so ties at the k-th place count as right whichever is returned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .collection import VOCABULARY, Array, Collection

#: Places whose scores are kept.
KS = (1, 10, 100, 1000)
CHUNK = 400_000


@njit(cache=True, nogil=True)
def invert(first: Any, indptr: Any, terms: Any, impacts: Any, starts: Any, docs: Any, values: Any) -> None:
    """Postings by term of the rows from number `first` on; `starts` holds each term's next place, and is moved."""
    for row in range(len(indptr) - 1):
        for p in range(indptr[row], indptr[row + 1]):
            place = starts[terms[p]]
            starts[terms[p]] = place + 1
            docs[place] = first + row
            values[place] = impacts[p]


@njit(cache=True, nogil=True)
def add_up(terms: Any, weights: Any, ends: Any, counts: Any, docs: Any, values: Any, scores: Any) -> None:
    """Scores of all documents of a chunk."""
    scores[:] = 0
    for i in range(len(terms)):
        weight = np.uint32(weights[i])
        for p in range(ends[terms[i]] - counts[terms[i]], ends[terms[i]]):
            scores[docs[p]] += weight * np.uint32(values[p])


@njit(cache=True, nogil=True)
def score_documents(indptr: Any, terms: Any, impacts: Any, ids: Any, dense: Any, out: Any) -> None:
    """Exact scores of single documents under dense query weights; 0 for an id of −1."""
    for i in range(len(ids)):
        total = 0
        if ids[i] >= 0:
            for p in range(indptr[ids[i]], indptr[ids[i] + 1]):
                total += dense[terms[p]] * impacts[p]
        out[i] = total


def exact_scores(collection: Collection, kind: str, count: int, levels: int) -> NDArray[np.int64]:
    """For each of the first `count` queries the scores at the places `KS`, 0 where fewer match; kept on disk.

    int64 ndarray of shape (queries, len(KS) + 1); the last column counts the matches.
    """
    path = collection.folder / f"truth.{kind}.{levels}.{count}.npy"
    if path.exists():
        kept: NDArray[np.int64] = np.load(path)
        return kept
    queries = collection.queries[kind].all_integers(count, levels)
    best = [np.zeros(0, np.uint32) for _ in queries]
    matches = np.zeros(len(queries), np.int64)
    for _, indptr, terms, impacts in collection.chunks(CHUNK):
        counts = np.bincount(terms, minlength=VOCABULARY)
        ends = np.cumsum(counts) - counts
        docs, values = np.empty(len(terms), np.int32), np.empty(len(terms), np.uint8)
        invert(0, indptr, terms, impacts, ends, docs, values)
        scores = np.zeros(len(indptr) - 1, np.uint32)
        for number, (query_terms, weights) in enumerate(queries):
            add_up(query_terms, weights, ends, counts, docs, values, scores)
            matches[number] += np.count_nonzero(scores)
            joined = np.concatenate([best[number], scores])
            most = min(KS[-1], len(joined))
            best[number] = np.partition(joined, len(joined) - most)[len(joined) - most :]
    table = np.zeros((len(queries), len(KS) + 1), np.int64)
    for row, scores, matched in zip(table, best, matches, strict=True):
        falling = np.sort(scores)[::-1]
        row[: len(KS)] = [falling[k - 1] if k <= len(falling) else 0 for k in KS]
        row[-1] = matched
    np.save(path, table)
    return table


def recall(collection: Collection, kind: str, k: int, ids: Array, levels: int, truth: NDArray[np.int64]) -> Array:
    """Recall of each list of `ids` (queries, k), −1 where it is shorter; 1 where nothing matches and nothing came."""
    result = np.ones(len(ids))
    dense = np.zeros(VOCABULARY, np.int64)
    scores = np.zeros(k, np.int64)
    for number, row in enumerate(ids):
        terms, weights = collection.queries[kind].integers(number, levels)
        dense[terms] = weights
        score_documents(collection.indptr, collection.terms, collection.impacts, row, dense, scores)
        dense[terms] = 0
        wanted = min(k, int(truth[number, -1]))
        kth = max(1, int(truth[number, KS.index(k)]))
        distinct = len(np.unique(row[scores >= kth]))  # the same document twice counts once
        if wanted:
            result[number] = min(distinct, wanted) / wanted
    return result
