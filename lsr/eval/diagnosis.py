"""Why a judged document ranks where it does: its terms, the query's terms that it lacks, and what is ahead of it.

Looks into indexes of ours term by term; of any other system it sees ranks and scores. Knows nothing of terminals.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lsr.engine.query import WeightedQuery, query_vectors, weigh
from lsr.engine.snapshot import Snapshot
from lsr.errors import EvaluationError
from lsr.eval.collections.base import Collection
from lsr.eval.systems.base import System
from lsr.eval.systems.engine import IndexSystem

#: Hits that are looked through for a document, unless somebody asks for more.
DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class TermShare:
    """What one term of the query adds to one document: contribution = query weight × document weight, as searched."""

    word: str
    query_weight: float
    document_weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """A hit ranked above a judged document that is not judged relevant. `gains`: what each term gives it more (or less)
    than the judged document, the greatest difference first; empty where terms are not known.
    """

    rank: int
    id: str
    grade: int | None
    score: float
    title: str
    gains: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """One judged document in one system.

    rank : from 1; None beyond `depth`, or where nothing of the query is in it (`score` is then 0)
    terms : of the query, those that it holds, the greatest contribution first; None where the system cannot tell
    missing : the query's terms that it lacks, with their query weights, the heaviest first
    ahead : the first hits above it that are not judged relevant
    indexed : False where the system does not hold it at all; None where that is not known
    """

    id: str
    grade: int
    title: str
    rank: int | None
    score: float | None
    terms: tuple[TermShare, ...] | None
    missing: tuple[tuple[str, float], ...]
    ahead: tuple[Ahead, ...]
    indexed: bool | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One query in one system. `query_terms`: as it is searched, heaviest first; empty where the system cannot tell."""

    system: str
    query: str
    text: str
    depth: int
    found: int
    query_terms: tuple[tuple[str, float], ...]
    documents: tuple[JudgedDocument, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain_query(
    system: System, collection: Collection, query: str, *, label: str = "system", depth: int = DEPTH, ahead: int = 3
) -> Diagnosis:
    """Look at one judged query in one system.

    Parameters
    ----------
    system : System
    collection : Collection
    query : str
        Its id.
    label : str
        How the system is called.
    depth : int
        Hits that are looked through.
    ahead : int
        Hits above each relevant document to look at.

    Raises
    ------
    EvaluationError
        The query is not judged, or has no text.
    """
    text = _text(collection, query)
    one = _OneQuery(collection, query, text)
    run, _ = system.answer(one, depth, 1, None)
    hits = run.get(query, [])
    grades = collection.qrels[query]
    order = sorted(grades, key=lambda document: (-grades[document], document))
    if isinstance(system, IndexSystem) and system.scoring == "impacts":
        return _by_terms(system, one, hits, order, label, depth, ahead)
    ranks = {document: rank for rank, (document, _) in enumerate(hits, 1)}
    scores = dict(hits)
    documents = tuple(
        JudgedDocument(
            *(document, grades[document], "", ranks.get(document), scores.get(document), None, ()),
            _ahead(hits, ranks.get(document), grades, {}, None, ahead) if grades[document] > 0 else (),
            None,
        )
        for document in order
    )
    return Diagnosis(label, query, text, depth, len(hits), (), documents)


def _by_terms(
    system: IndexSystem,
    one: _OneQuery,
    hits: Sequence[tuple[str, float]],
    order: Sequence[str],
    label: str,
    depth: int,
    most: int,
) -> Diagnosis:
    index, query = system.index, one.query
    grades = one.qrels[query]
    row = query_vectors(index.encoder, [one.text])
    ranks = {document: rank for rank, (document, _) in enumerate(hits, 1)}
    with index.snapshot() as snapshot:
        weighted = weigh(index.encoder, row, index.query_idf, snapshot)
        words = index.encoder.words(weighted.terms.tolist())
        weights = (weighted.integers * weighted.scale).tolist()
        heavy = sorted(range(len(words)), key=lambda place: -weights[place])
        places = snapshot.find([*order, *(document for document, _ in hits)])
        titles = _titles(snapshot, {id: places[id] for id in (*order, *_first(hits, 50)) if id in places})
        documents = []
        for document in order:
            shares = None if document not in places else _contributions(snapshot, weighted, places[document])
            holds = np.zeros(len(words)) if shares is None else shares
            document_weights = np.divide(holds, weights, out=np.zeros(len(words)), where=np.array(weights) > 0)
            terms = tuple(
                TermShare(words[place], weights[place], float(document_weights[place]), float(holds[place]))
                for place in np.argsort(-holds, kind="stable").tolist()
                if holds[place] > 0
            )
            rank = ranks.get(document)
            gains = {} if rank is None and len(hits) < depth else _gains(snapshot, weighted, places, hits, holds, most)
            documents.append(
                JudgedDocument(
                    *(document, grades[document], titles.get(document, ""), rank, float(holds.sum()), terms),
                    tuple((words[place], weights[place]) for place in heavy if holds[place] == 0),
                    _ahead(hits, rank, grades, titles, (words, gains), most) if grades[document] > 0 else (),
                    document in places,
                )
            )
    query_terms = tuple((words[place], weights[place]) for place in heavy)
    return Diagnosis(label, query, one.text, depth, len(hits), query_terms, tuple(documents))


def _contributions(snapshot: Snapshot, query: WeightedQuery, ordinal: int) -> Any:
    """float64 ndarray as long as the query: what each term adds to the document's score."""
    impacts = snapshot.impacts(ordinal, query.terms)
    return query.integers.astype(np.float64) * impacts * (query.scale * snapshot.unit)


def _gains(
    snapshot: Snapshot,
    query: WeightedQuery,
    places: Mapping[str, int],
    hits: Sequence[tuple[str, float]],
    holds: Any,
    most: int,
) -> dict[str, Any]:
    """For the first hits, what each term gives them more than the document that `holds` describes."""
    return {
        document: _contributions(snapshot, query, places[document]) - holds
        for document in _first(hits, most + 20)
        if document in places
    }


def _ahead(
    hits: Sequence[tuple[str, float]],
    rank: int | None,
    grades: Mapping[str, int],
    titles: Mapping[str, str],
    by_term: tuple[Sequence[str], Mapping[str, Any]] | None,
    most: int,
) -> tuple[Ahead, ...]:
    found = []
    for place, (document, score) in enumerate(hits[: len(hits) if rank is None else rank - 1], 1):
        if grades.get(document, 0) > 0:
            continue
        gains: tuple[tuple[str, float], ...] = ()
        if by_term is not None and document in by_term[1]:
            words, table = by_term
            values = table[document]
            order = np.argsort(-np.abs(values), kind="stable").tolist()
            gains = tuple((words[term], float(values[term])) for term in order if abs(values[term]) > 0)
        found.append(Ahead(place, document, grades.get(document), score, titles.get(document, ""), gains))
        if len(found) == most:
            break
    return tuple(found)


def _titles(snapshot: Snapshot, places: Mapping[str, int]) -> dict[str, str]:
    documents = snapshot.documents(list(places.values())) if places else []
    return {document.id: document.title or document.text[:80] for document in documents}


def _first(hits: Sequence[tuple[str, float]], most: int) -> list[str]:
    return [document for document, _ in hits[:most]]


def _text(collection: Collection, query: str) -> str:
    if query not in collection.qrels:
        near = difflib.get_close_matches(query, list(collection.qrels), n=3, cutoff=0.5)
        raise EvaluationError(
            f"the query {query!r} is not judged in {collection.name}",
            remedy=f"Did you mean {' or '.join(near)}?" if near else "See which queries differ: lsr eval compare",
        )
    text = collection.queries.get(query, "")
    if not text.strip():
        raise EvaluationError(f"the query {query!r} of {collection.name} has no text")
    return text


class _OneQuery:
    """A collection with one of its queries only."""

    def __init__(self, collection: Collection, query: str, text: str) -> None:
        self.query, self.text = query, text
        self.name, self.split, self.location = collection.name, collection.split, collection.location
        self.queries = {query: text}
        self.qrels = {query: collection.qrels[query]}
        self.drop_self_matches = collection.drop_self_matches
        self.document_count = collection.document_count
        self.warnings: tuple[str, ...] = ()
        self.documents = collection.documents
        self.digest = collection.digest
