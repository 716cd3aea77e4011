"""From a query's text to the integers that segments are searched with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder
from lsr.encoders.idf import UNSEEN, inverse_document_frequency, smoothed_idf
from lsr.engine.snapshot import Snapshot
from lsr.errors import InvalidQueryError, InvalidSettingError
from lsr.index.quantize import quantize_query
from lsr.vectors import SparseVectors

#: Which idf table weights a lexical query's terms: the encoder's own, the live collection's, the lesser of both, or
#: that of the collection with a few documents added that are like those of the encoder's own table.
QUERY_IDF = ("model", "collection", "min", "smoothed")


@dataclass(frozen=True, slots=True)
class WeightedQuery:
    """A query as it is searched.

    terms, integers : uint32 ndarrays of shape (terms,), terms ascending
    scale : float
        Value of one integer unit.
    """

    terms: NDArray[np.uint32]
    integers: NDArray[np.uint32]
    scale: float


def check_query_idf(setting: str, encoder: Encoder) -> str:
    """`setting` where it is legal for the encoder, else `InvalidSettingError`."""
    if setting not in QUERY_IDF:
        raise InvalidSettingError(f"query_idf is {setting!r}", remedy=f"it is one of {', '.join(QUERY_IDF)}")
    if setting != "model" and not encoder.lexical_queries:
        raise InvalidSettingError(
            f"query_idf is {setting!r}, but {encoder.name} weights queries by its own model",
            remedy="leave it out, or choose an inference-free encoder",
        )
    if setting in ("min", "smoothed") and encoder.idf is None:
        raise InvalidSettingError(
            f"query_idf is {setting!r}, but {encoder.name} has no idf table", remedy="use 'collection'"
        )
    return setting


def check_query(query: str) -> str:
    """`query` where it is a text with something in it, else `InvalidQueryError`."""
    if not isinstance(query, str):
        raise InvalidQueryError(f"a query is a text, not {type(query).__name__}")
    if not query.strip():
        raise InvalidQueryError("the query is empty", remedy="give at least one word")
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise InvalidQueryError(f"the query is not valid Unicode: {error.reason} at {error.start}") from None
    return query


def check_k(k: int) -> int:
    """`k` where it is a whole number of 1 or more, else `InvalidQueryError`."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise InvalidQueryError(f"k is {k!r}, it must be a whole number")
    if k < 1:
        raise InvalidQueryError(f"k is {k}, it must be 1 or more")
    return int(k)


def query_vectors(encoder: Encoder, texts: list[str]) -> SparseVectors:
    """One row a query: counts for lexical encoders, final weights for the others."""
    return encoder.query_counts(texts) if encoder.lexical_queries else encoder.encode_queries(texts)


def float_weights(
    encoder: Encoder, row: SparseVectors, query_idf: str, snapshot: Snapshot
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Terms and float32 weights of one query of `query_vectors`, without terms that no live document is indexed with.

    They could not find anything, and would take resolution from those that do.
    """
    postings = snapshot.document_frequencies(row.terms)
    met = postings > 0
    terms, weights, postings = row.terms[met], row.weights[met], postings[met]
    if encoder.lexical_queries:
        own = np.ones(len(terms), np.float32) if encoder.idf is None else encoder.idf[terms]
        table = own
        if query_idf != "model":
            collection = collection_idf(encoder, terms, postings, snapshot, own if query_idf == "smoothed" else None)
            table = np.minimum(own, collection) if query_idf == "min" else collection
        weights = weights * table
        weighty = weights > 0  # an encoder's table may give a token, a comma say, no weight at all
        terms, weights = terms[weighty], weights[weighty]
    return terms, weights.astype(np.float32)


def collection_idf(
    encoder: Encoder,
    terms: NDArray[np.uint32],
    postings: NDArray[np.int64],
    snapshot: Snapshot,
    own: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """float32 ndarray as long as `terms`: idf by the live documents of this generation.

    `postings` counts those that are indexed with each term. With `own`, the encoder's idf of them, smoothed by it.

    Where the encoder expands, by their texts: expansion gives a rare word many postings and a stop word few, so counts
    of postings mislead (SciFact .638 instead of .655 nDCG@10 with splade-tiny's documents). A word that no text holds,
    though documents are indexed with it, weighs 1, as in published tables.
    """
    documents = snapshot.state.documents
    df = snapshot.text_frequencies(terms, encoder.dim) if encoder.expands else postings
    if own is not None:
        return smoothed_idf(df, documents, own)
    if not encoder.expands:
        return inverse_document_frequency(df, documents)
    return np.where(df > 0, inverse_document_frequency(df, documents), np.float32(UNSEEN))


def weigh(encoder: Encoder, row: SparseVectors, query_idf: str, snapshot: Snapshot) -> WeightedQuery:
    """`float_weights`, quantised."""
    terms, weights = float_weights(encoder, row, query_idf, snapshot)
    integers, scale = quantize_query(weights)
    return WeightedQuery(terms, integers, scale)
