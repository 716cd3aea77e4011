"""What an encoder made of a collection: how sparse its documents are, which terms it uses, how much it expands.

Reads the weights of an index before their quantisation. Knows nothing of judgements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.engine.index import Index
from lsr.errors import EvaluationError
from lsr.eval.systems.engine import query_cost
from lsr.vectors import MAX_DIM

#: Documents whose texts are read again to see what of their terms was expansion; evenly spread over the index.
_EXPANSION_SAMPLE = 1_000

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True, slots=True)
class CommonTerm:
    """A term that many documents have: how many, and the mean weight where it stands."""

    word: str
    documents: int
    share: float
    mean_weight: float


@dataclass(frozen=True, slots=True)
class VocabularyReport:
    """Sparsity and vocabulary of an index.

    documents, postings : counts
    terms_per_document : mean, deviation, least, greatest and percentiles
    weights : percentiles of the weights before quantisation, and the greatest
    vocabulary : terms that some document has; `dimension`: terms that the encoder has, None for a growing vocabulary
    once : terms of one document only
    gini : of the posting lists' lengths: 0 all equal, near 1 few terms have nearly all postings
    head_share : share of the postings that the most frequent 1 % of the terms have
    common : the most frequent terms
    query_terms, flops : of queries, where there are some; see `Size`
    expansion : share of a document's terms that are not words of its own text, mean over a sample; None where the
        encoder's terms are its words
    """

    documents: int
    postings: int
    terms_per_document: dict[str, float]
    weights: dict[str, float]
    vocabulary: int
    dimension: int | None
    once: int
    gini: float
    head_share: float
    common: tuple[CommonTerm, ...]
    queries: int
    query_terms: float | None
    flops: float | None
    expansion: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def vocabulary_report(index: Index, queries: Sequence[str] = (), *, common: int = 20) -> VocabularyReport:
    """Statistics of an index, and of queries against it.

    Parameters
    ----------
    index : Index
    queries : sequence of str
        Texts; blank ones are left out.
    common : int
        How many of the most frequent terms to name.

    Raises
    ------
    EvaluationError
        The index is empty.

    Holds the lengths of all documents and a sample of a million weights in memory.
    """
    lengths: list[NDArray[np.int64]] = []
    samples: list[NDArray[np.float32]] = []
    frequencies: dict[int, int] = {}
    sums: dict[int, float] = {}
    greatest = 0.0
    for _, vectors in index.vectors():
        lengths.append(np.diff(vectors.indptr))
        terms, places, counts = np.unique(vectors.terms, return_inverse=True, return_counts=True)
        totals = np.bincount(places, weights=vectors.weights, minlength=len(terms))
        for term, count, total in zip(terms.tolist(), counts.tolist(), totals.tolist(), strict=True):
            frequencies[term] = frequencies.get(term, 0) + count
            sums[term] = sums.get(term, 0.0) + total
        if len(vectors.weights):
            greatest = max(greatest, float(vectors.weights.max()))
            samples.append(vectors.weights[:: max(1, len(vectors.weights) // 20_000)])
    if not lengths or not frequencies:
        raise EvaluationError(f"the index {index.path} has no document with a term")
    sizes = np.concatenate(lengths)
    counts = np.sort(np.fromiter(frequencies.values(), np.int64))
    asked = [query for query in queries if query.strip()]
    flops, query_terms = query_cost(index, asked)
    return VocabularyReport(
        documents=len(sizes),
        postings=int(sizes.sum()),
        terms_per_document=_distribution(sizes),
        weights={**_percentiles(np.concatenate(samples)), "max": greatest},
        vocabulary=len(counts),
        dimension=None if index.encoder.dim >= MAX_DIM else index.encoder.dim,
        once=int((counts == 1).sum()),
        gini=_gini(counts),
        head_share=float(counts[-max(1, len(counts) // 100) :].sum() / counts.sum()),
        common=_common(index, frequencies, sums, len(sizes), common),
        queries=len(asked),
        query_terms=query_terms,
        flops=flops,
        expansion=_expansion(index, len(sizes)),
    )


def _distribution(values: NDArray[np.int64]) -> dict[str, float]:
    return {
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "min": float(values.min()),
        **_percentiles(values),
        "max": float(values.max()),
    }


def _percentiles(values: NDArray[Any]) -> dict[str, float]:
    found = np.percentile(values, _PERCENTILES).tolist()
    return {f"p{name}": value for name, value in zip(_PERCENTILES, found, strict=True)}


def _gini(ascending: NDArray[np.int64]) -> float:
    """Gini coefficient of ascending counts: 2 Σ i·x_i / (n Σ x) − (n + 1) / n, i from 1."""
    n = len(ascending)
    return float(2 * (np.arange(1, n + 1) * ascending).sum() / (n * ascending.sum()) - (n + 1) / n)


def _common(
    index: Index, frequencies: dict[int, int], sums: dict[int, float], documents: int, most: int
) -> tuple[CommonTerm, ...]:
    terms = sorted(frequencies, key=lambda term: (-frequencies[term], term))[:most]
    words = index.encoder.words(terms)
    return tuple(
        CommonTerm(word, frequencies[term], frequencies[term] / documents, sums[term] / frequencies[term])
        for term, word in zip(terms, words, strict=True)
    )


def _expansion(index: Index, documents: int) -> float | None:
    encoder = index.encoder
    if not encoder.expands:
        return None
    step, shares, seen = max(1, documents // _EXPANSION_SAMPLE), [], 0
    for names, vectors in index.vectors():
        chosen = [place for place in range(len(names)) if (seen + place) % step == 0]
        seen += len(names)
        own = encoder.query_counts([index.document(names[place]).content for place in chosen])
        for number, place in enumerate(chosen):
            row = vectors[place].terms
            if len(row):
                shares.append(1 - np.isin(row, own[number].terms).mean())
    return float(np.mean(shares)) if shares else None
