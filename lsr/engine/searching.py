"""One query against one snapshot: weigh, search, fetch, explain. Used by `Index`, which owns the snapshot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from lsr.encoders.base import Encoder
from lsr.engine.query import WeightedQuery, weigh
from lsr.engine.results import Hit, QueryTerm, SearchResponse, TermContribution
from lsr.engine.snapshot import Snapshot
from lsr.engine.snippets import best_snippet
from lsr.index.options import EXACT, SearchOptions
from lsr.vectors import SparseVectors


def query_terms(encoder: Encoder, query: WeightedQuery) -> tuple[QueryTerm, ...]:
    """The query's terms in words, heaviest first."""
    order = np.argsort(-query.integers.astype(np.int64), kind="stable")
    words = encoder.words(query.terms[order].tolist())
    weights = (query.integers[order] * query.scale).tolist()
    return tuple(QueryTerm(word, weight) for word, weight in zip(words, weights, strict=True))


def search_snapshot(
    snapshot: Snapshot,
    encoder: Encoder,
    query_idf: str,
    text: str | None,
    row: SparseVectors,
    k: int,
    explain: bool,
    started: float,
    filter: Mapping[str, Any] | None = None,
    options: SearchOptions = EXACT,
) -> SearchResponse:
    """The answer to the query of one row; `started` is when its time began, of `time.perf_counter`."""
    query = weigh(encoder, row, query_idf, snapshot)
    allowed = None if filter is None else snapshot.allowed(filter)
    top = snapshot.search(query.terms, query.integers, k, allowed, options)
    ordinals, scores = top.ordinals.tolist(), top.scores.tolist()
    unit = query.scale * snapshot.unit
    weights = dict(zip(query.terms.tolist(), query.integers.tolist(), strict=True))
    hits = []
    for rank, (ordinal, score, document) in enumerate(
        zip(ordinals, scores, snapshot.documents(ordinals), strict=True), start=1
    ):
        explanation = _explain(snapshot, encoder, query, ordinal) if explain else None
        shown = document.text or document.title
        snippet = best_snippet(shown, encoder.spans(shown), weights)
        hits.append(Hit(rank, score * unit, score, document, snippet, explanation))
    return SearchResponse(
        query=text,
        k=k,
        generation=snapshot.generation,
        exact=top.exact,
        took_ms=(time.perf_counter() - started) * 1000,
        terms=query_terms(encoder, query),
        hits=tuple(hits),
    )


def _explain(snapshot: Snapshot, encoder: Encoder, query: WeightedQuery, ordinal: int) -> tuple[TermContribution, ...]:
    """What each matched term adds to one document's score, the greatest first."""
    impacts = snapshot.impacts(ordinal, query.terms)
    products = query.integers.astype(np.int64) * impacts
    order = [place for place in np.argsort(-products, kind="stable").tolist() if impacts[place]]
    words = encoder.words(query.terms[order].tolist())
    result = []
    for word, place in zip(words, order, strict=True):
        integer = int(products[place])
        query_weight = float(query.integers[place]) * query.scale
        document_weight = float(impacts[place]) * snapshot.unit
        contribution = integer * (query.scale * snapshot.unit)
        result.append(TermContribution(word, query_weight, document_weight, contribution, integer))
    return tuple(result)
