"""What the engine answers: hits, explanations and reports, as plain frozen records with a JSON form.

The CLI, the REST service and a Python caller all see these, so that all three say the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lsr.documents import Document


@dataclass(frozen=True, slots=True)
class TermContribution:
    """What one term adds to the score of one document: `contribution` = `query_weight` × `document_weight`.

    The two weights are the quantised ones that the engine multiplies, so the contributions of a hit add up to its
    score; `integer` is the same product before scaling, and those add up to the hit's `integer_score` exactly.
    """

    word: str
    query_weight: float
    document_weight: float
    contribution: float
    integer: int


@dataclass(frozen=True, slots=True)
class Snippet:
    """A passage of a document around its matched terms. `matches` are character ranges in `text`, end exclusive."""

    text: str
    matches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One found document.

    `rank` counts from 1; `score` is a float32-exact multiple of the scale; `explanation` is None unless it was asked
    for, else the terms in order of falling contribution.
    """

    rank: int
    score: float
    integer_score: int
    document: Document
    snippet: Snippet
    explanation: tuple[TermContribution, ...] | None = None

    @property
    def id(self) -> str:
        return self.document.id

    def to_dict(self) -> dict[str, Any]:
        document = self.document
        record: dict[str, Any] = {
            "rank": self.rank,
            "id": document.id,
            "score": self.score,
            "integer_score": self.integer_score,
            "title": document.title,
            "text": document.text,
            "metadata": document.metadata,
            "snippet": {"text": self.snippet.text, "matches": [list(span) for span in self.snippet.matches]},
        }
        if self.explanation is not None:
            record["explanation"] = [asdict(term) for term in self.explanation]
        return record


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term of the query with the weight that it was searched with, quantised."""

    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """The answer to one query.

    `generation` names the committed state that was searched; `exact` tells that no approximation was used;
    `terms` are the query's terms, heaviest first; `took_ms` is wall time in milliseconds, encoding included.
    """

    query: str | None
    k: int
    generation: int
    exact: bool
    took_ms: float
    terms: tuple[QueryTerm, ...]
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "k": self.k,
            "generation": self.generation,
            "exact": self.exact,
            "took_ms": self.took_ms,
            "terms": [asdict(term) for term in self.terms],
            "hits": [hit.to_dict() for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class AddReport:
    """What one call of `Index.add` did: `replaced` of the `added` documents took the place of an older one."""

    added: int
    replaced: int
    unchanged: int
    generation: int


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment of the committed generation. `documents` counts the dead too; sizes are bytes on disk."""

    name: str
    documents: int
    deleted: int
    postings: int
    bytes: int


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index at one generation; `to_dict` is its JSON form."""

    path: str
    format_version: int
    generation: int
    encoder: str
    encoder_settings: dict[str, str | int | float | bool | None]
    fingerprint: str
    query_idf: str
    documents: int
    terms: int
    postings: int
    terms_per_document: float
    store_bytes: int
    segment_bytes: int
    segments: tuple[SegmentInfo, ...]

    @property
    def deleted(self) -> int:
        """Deleted documents whose postings are still in segments; merging drops them."""
        return sum(segment.deleted for segment in self.segments)

    @property
    def deleted_share(self) -> float:
        """Of all documents in the segments, from 0 to 1."""
        held = sum(segment.documents for segment in self.segments)
        return self.deleted / held if held else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "deleted": self.deleted, "deleted_share": self.deleted_share}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check_index` found. `problems` is empty for a sound index; each names the file or row."""

    documents: int
    segments: int
    problems: tuple[str, ...]
    repaired: tuple[str, ...] = ()
    generation: int = 0

    @property
    def sound(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sound": self.sound}
