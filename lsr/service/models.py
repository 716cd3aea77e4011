"""What goes over the wire, as Pydantic models: the one request that is validated, and the answers for OpenAPI.

The answers are never built through these models, they are the engine's own records (`to_dict`); a test validates real
answers against them, strictly, so that neither side drifts.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

MAX_QUERY_CHARACTERS = 10_000
MAX_VECTOR_TERMS = 10_000
MAX_K = 1_000

#: The range of weights, which are 32-bit floats (the smallest that is not denormal).
SMALLEST_FLOAT32 = 2.0**-126
LARGEST_FLOAT32 = (2 - 2.0**-23) * 2.0**127

#: How an index may be called in an address.
INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

#: A term id as the key of a JSON object: decimal, without leading zeros.
TermId = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,9})$")]


def _fits(weight: float) -> float:
    if not SMALLEST_FLOAT32 <= weight <= LARGEST_FLOAT32:
        raise PydanticCustomError("float32", "Input should be within the range of 32-bit floats")
    return weight


Weight = Annotated[float, Field(gt=0), AfterValidator(_fits)]


class Strict(BaseModel):
    """No unknown fields, no coercion between types, no NaN, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


#: What only the checks after the model refuse, for who reads the schema: which fields go together.
_EITHER_OR = [
    {
        "title": "in words",
        "required": ["query"],
        "properties": {
            "query": {"type": "string"},
            "vector": {"type": "null"},
            "fingerprint": {"type": "null"},
        },
    },
    {
        "title": "encoded",
        "required": ["vector", "fingerprint"],
        "properties": {
            "query": {"type": "null"},
            "vector": {"type": "object"},
            "fingerprint": {"type": "string"},
        },
    },
]


class SearchRequest(Strict):
    """What to search for: either `query`, or `vector` with the `fingerprint` of the encoder that made it."""

    model_config = ConfigDict(
        title="SearchRequest",
        json_schema_extra={
            "examples": [{"query": "run a function when the program ends", "k": 10, "explain": False}],
            "oneOf": _EITHER_OR,  # type: ignore[dict-item]
        },
    )

    # The engine refuses blank queries, so the schema says it, and the model leaves it to the engine.
    query: (
        Annotated[str, Field(max_length=MAX_QUERY_CHARACTERS, json_schema_extra={"minLength": 1, "pattern": r"\S"})]
        | None
    ) = None
    """A query in words; the index's encoder weights it."""
    vector: (
        Annotated[
            dict[TermId, Weight],
            Field(min_length=1, max_length=MAX_VECTOR_TERMS, json_schema_extra={"additionalProperties": False}),
        ]
        | None
    ) = None
    """A query that is encoded already: term id (decimal) to a number above 0, the weight; where the index weights
    queries by idf (BM25 and inference-free encoders), how often the query has the term."""
    fingerprint: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Goes with `vector`: the fingerprint of its encoder, as the index's info tells it."""
    k: Annotated[int, Field(ge=1, le=MAX_K)] = 10
    """How many hits at most."""
    explain: bool = False
    """Whether each hit lists what each term of the query adds to its score."""
    filter: dict[str, JsonValue] | None = None
    """Find only documents whose metadata it matches, for example `{"year": {"$gte": 2000}, "place": "Oslo"}`: fields
    (dots lead into objects) with a value or `$eq $ne $in $nin $gt $gte $lt $lte $exists`, and `$and $or $not`."""
    recall: Literal["95", "99", "99.9"] | None = None
    """Approximate, and faster where the index is large: the recommended settings for so many per cent of the true hits,
    in the mean. The response's `exact` is false then."""


class TermContribution(Strict):
    """What one term adds to a score: `contribution` = `query_weight` × `document_weight`."""

    word: str
    query_weight: float
    document_weight: float
    contribution: float
    integer: int
    """The contribution before scaling; these add up to the hit's `integer_score` exactly."""


class Snippet(Strict):
    """A passage of the document around its matched terms."""

    text: str
    matches: list[tuple[int, int]]
    """Ranges of Unicode code points in `text`, end exclusive."""


class Hit(Strict):
    """One found document."""

    rank: int
    """From 1."""
    id: str
    score: float
    integer_score: int
    title: str
    text: str
    metadata: dict[str, JsonValue]
    snippet: Snippet
    explanation: list[TermContribution] | None = None
    """Only where it was asked for; the terms in order of falling contribution."""


class QueryTerm(Strict):
    """A term of the query with the weight that it was searched with."""

    word: str
    weight: float


class SearchResponse(Strict):
    """The answer to one query."""

    query: str | None
    k: int
    generation: int
    """The committed state of the index that was searched."""
    exact: bool
    """True where no approximation was used."""
    took_ms: float
    """Wall time in the engine, encoding included, in milliseconds."""
    terms: list[QueryTerm]
    """Heaviest first."""
    hits: list[Hit]


class Document(Strict):
    """One stored document."""

    id: str
    title: str
    text: str
    metadata: dict[str, JsonValue]


class SegmentInfo(Strict):
    """One segment of the index; `documents` counts the deleted ones too."""

    name: str
    documents: int
    deleted: int
    postings: int
    bytes: int


class IndexInfo(Strict):
    """An index at one generation."""

    name: str
    """How the service calls it."""
    format_version: int
    generation: int
    encoder: str
    encoder_settings: dict[str, str | int | float | bool | None]
    fingerprint: str
    """Names the encoder with its settings; a raw `vector` must come from the same."""
    query_idf: str
    documents: int
    terms: int
    postings: int
    terms_per_document: float
    store_bytes: int
    segment_bytes: int
    segments: list[SegmentInfo]
    deleted: int
    """Deleted documents whose postings are still in segments; merging drops them."""
    deleted_share: float
    """Of all documents in the segments, from 0 to 1."""


class IndexSummary(Strict):
    """An index in the list of all."""

    name: str
    documents: int
    generation: int
    encoder: str
    query_idf: str
    fingerprint: str
    examples: list[str]
    """Queries to try, where whoever started the service gave some."""


class IndexList(Strict):
    """Every index that is served, in the order in which they were given."""

    indexes: list[IndexSummary]


class Health(Strict):
    """The process answers."""

    status: str


class Readiness(Strict):
    """Every index can be searched; `indexes` tells the generation of each."""

    status: str
    indexes: dict[str, int]


class ErrorDetail(Strict):
    """What went wrong."""

    code: str
    """For programs."""
    message: str
    """For people."""
    field: str | None
    """The field of the request that is to blame, if one is; dotted where it is nested."""


class ErrorResponse(Strict):
    """The one shape of every error."""

    error: ErrorDetail
