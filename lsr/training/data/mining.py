"""Hard negatives: documents that a ranking puts high for a query and that are not its positives.

BM25's ranking comes from our own inverted index over the student's tokens, a dense teacher's from exact search (faiss
on a CPU, torch on a GPU). Knows rank windows and the filter by the positive's score; nothing of training.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.training.data.prepared import PreparedData
from lsr.training.recipe import Mining
from lsr.training.teachers.base import Cache, Say, Teacher
from lsr.training.teachers.bm25 import BM25Teacher
from lsr.training.teachers.dense import DenseTeacher

#: Queries that are searched at a time.
_STEP = 8192


def mine(settings: Mining, data: PreparedData, teacher: Teacher, say: Say) -> NDArray[np.int32]:
    """Negatives of every query, found in the cache or looked for.

    Parameters
    ----------
    settings : Mining
    data : PreparedData
    teacher : BM25Teacher or DenseTeacher
        Prepared. Its ranking is used, and its scores for the ceiling.
    say : callable

    Returns
    -------
    int32 ndarray of shape (queries, last − first + 1)
        Document numbers, best first, −1 where there are no more.
    """
    record = {"mining": [settings.by, settings.first, settings.last, settings.ceiling], "teacher": teacher.key}
    cache = Cache(data, f"mined-{settings.by}", record)
    if "negatives" not in cache:
        say(f"mining by {settings.by}: {len(data.queries):,} queries in {len(data.documents):,} documents")
        positives = _positives(data)
        extra = max((len(row) for row in positives.values()), default=0)
        ranked = _ranked(teacher, data, settings.last + min(extra, 8))
        cache.save("negatives", _negatives(ranked, positives, settings, teacher))
    found: NDArray[np.int32] = cache.load("negatives")
    return found


def _positives(data: PreparedData) -> dict[int, set[int]]:
    known: dict[int, set[int]] = {}
    for query, document, _ in np.concatenate([data.pairs, data.pseudo]).tolist():
        known.setdefault(query, set()).add(document)
    return known


def _negatives(
    ranked: NDArray[np.int32], positives: dict[int, set[int]], settings: Mining, teacher: Teacher
) -> NDArray[np.int32]:
    width = settings.last - settings.first + 1
    found = np.full((len(ranked), width), -1, np.int32)
    for query in range(len(ranked)):
        good = positives.get(query, set())
        row = [d for d in ranked[query].tolist() if d >= 0 and d not in good][settings.first - 1 : settings.last]
        if settings.ceiling and good and row:
            scores = teacher.scores(np.array([query]), np.array([*good, *row], np.int64))[0]
            limit = settings.ceiling * scores[: len(good)].max()
            row = [d for d, score in zip(row, scores[len(good) :], strict=True) if score <= limit]
        found[query, : len(row)] = row
    return found


def _ranked(teacher: Teacher, data: PreparedData, k: int) -> NDArray[np.int32]:
    if isinstance(teacher, DenseTeacher):
        return nearest(teacher.embeddings("queries"), teacher.embeddings("documents"), k)
    assert isinstance(teacher, BM25Teacher)
    return _lexical(teacher, data, k)


def nearest(queries: NDArray[np.float16], documents: NDArray[np.float16], k: int) -> NDArray[np.int32]:
    """int32 ndarray of shape (Q, k): the k documents of greatest inner product for each query, best first, exactly."""
    import torch

    k = min(k, len(documents))
    if not torch.cuda.is_available():
        return _by_faiss(queries, documents, k)
    pool = torch.from_numpy(np.array(documents)).cuda()
    parts = []
    for start in range(0, len(queries), 2048):
        asked = torch.from_numpy(np.array(queries[start : start + 2048])).cuda()
        parts.append((asked @ pool.T).topk(k, dim=1).indices.int().cpu().numpy())
    return np.concatenate(parts)


def _by_faiss(queries: NDArray[np.float16], documents: NDArray[np.float16], k: int) -> NDArray[np.int32]:
    from lsr.errors import MissingExtraError

    try:
        import faiss
    except ImportError:
        raise MissingExtraError("dense mining on a CPU", "train") from None
    index = faiss.IndexFlatIP(documents.shape[1])
    for start in range(0, len(documents), _STEP):
        index.add(np.asarray(documents[start : start + _STEP], np.float32))
    starts = range(0, len(queries), _STEP)
    parts = [index.search(np.asarray(queries[s : s + _STEP], np.float32), k)[1] for s in starts]
    return np.concatenate(parts).astype(np.int32)


def _lexical(teacher: BM25Teacher, data: PreparedData, k: int) -> NDArray[np.int32]:
    """The same by BM25, through an index of ours in a temporary folder, by a thread for each core."""
    from lsr.encoders.idf import inverse_document_frequency
    from lsr.index.build import write_segment
    from lsr.index.search import Queries, search_many
    from lsr.index.segment import Segment

    idf = inverse_document_frequency(data.document_frequencies(), len(data.documents))
    idf[list(data.manifest.special_ids)] = 0
    found = np.full((len(data.queries), k), -1, np.int32)
    with tempfile.TemporaryDirectory(prefix="lsr-mining-") as scratch:
        path = Path(scratch) / "documents.seg"
        vectors = teacher.vectors()
        ceiling = float(vectors.weights.max()) if vectors.nnz else 1.0
        write_segment(path, vectors, np.arange(len(vectors), dtype=np.int64), ceiling)
        del vectors
        segment = Segment(path)
        try:
            for start in range(0, len(data.queries), _STEP):
                rows = range(start, min(start + _STEP, len(data.queries)))
                asked = Queries.of([_levels(np.asarray(data.queries[row]), idf) for row in rows])
                for row, top in zip(rows, search_many([segment], [None], asked, k, threads=_cores()), strict=True):
                    found[row, : len(top.ordinals)] = top.ordinals
        finally:
            segment.close()
    return found


def _levels(tokens: NDArray[np.uint16], idf: NDArray[np.float32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The terms of a query, ascending, that weigh anything, and their idf in integers up to 255."""
    terms = np.unique(tokens).astype(np.uint32)
    weights = idf[terms]
    terms, weights = terms[weights > 0], weights[weights > 0]
    return terms, np.maximum(1, np.rint(weights * (255 / weights.max(initial=1e-9)))).astype(np.uint32)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
