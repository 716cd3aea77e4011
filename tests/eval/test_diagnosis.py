"""Diagnosis: contributions add up, what is missing is named, and what is ahead is shown with its terms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_collection import QRELS, write_collection

from lsr.engine.index import Index
from lsr.errors import EvaluationError
from lsr.eval import load_collection
from lsr.eval.diagnosis import explain_query
from lsr.eval.runs import write_run
from lsr.eval.systems import IndexSystem, RunSystem
from lsr.eval.vocabulary import vocabulary_report


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "birds", qrels={**QRELS, "q2": {"d3": 1, "d4": 3, "gone": 2, "d5": 1}})


def _index(folder: Path, collection: Path, encoder: str = "bm25") -> Index:
    index = Index.create(folder / f"index-{encoder}", encoder=encoder)
    index.add(load_collection(collection).documents())
    return index


def test_every_judged_document_is_explained(tmp_path: Path, birds: Path) -> None:
    collection = load_collection(birds)
    with _index(tmp_path, birds) as index:
        told = explain_query(IndexSystem(index), collection, "q2", label="bm25")
        served = {hit.id: hit for hit in index.search(collection.queries["q2"], k=100, explain=True).hits}
    documents = {document.id: document for document in told.documents}
    assert list(documents) == ["d4", "gone", "d3", "d5"]  # the best grade first
    for id, hit in served.items():
        if id in documents:
            document = documents[id]
            assert document.rank == hit.rank
            assert document.score == pytest.approx(hit.score)
            assert document.terms is not None
            assert sum(term.contribution for term in document.terms) == pytest.approx(hit.score)
            assert hit.explanation is not None
            assert [term.word for term in document.terms] == [term.word for term in hit.explanation]
    assert {word for word, _ in documents["d4"].missing} == {"bake"}
    assert {word for word, _ in documents["d3"].missing} == {"sourdough"}
    assert (documents["gone"].indexed, documents["gone"].rank, documents["gone"].score) == (False, None, 0.0)
    assert (documents["d5"].indexed, documents["d5"].rank, documents["d5"].terms) == (True, None, ())
    assert [word for word, _ in documents["d5"].missing] == [word for word, _ in told.query_terms]
    json.dumps(told.to_dict(), allow_nan=False)


def test_what_is_ahead_and_by_which_terms(tmp_path: Path) -> None:
    corpus = {"a": "red car", "b": "red red bicycle bicycle", "c": "red bicycle in the cold rain", "d": "green car"}
    folder = write_collection(tmp_path / "c", corpus, {"q": "red bicycle"}, {"q": {"c": 1, "a": 0}})
    with _index(tmp_path, folder) as index:
        told = explain_query(IndexSystem(index), load_collection(folder), "q", ahead=5)
    document = next(document for document in told.documents if document.id == "c")
    assert document.rank == 2
    (above,) = document.ahead
    assert (above.rank, above.id, above.grade) == (1, "b", None)
    assert sum(gain for _, gain in above.gains) == pytest.approx(above.score - (document.score or 0))
    assert {word for word, _ in above.gains} == {"red", "bicycl"}


def test_a_run_of_others_shows_ranks(tmp_path: Path, birds: Path) -> None:
    write_run(tmp_path / "r.trec", {"q2": [("d1", 3.0), ("d4", 2.0)]})
    told = explain_query(RunSystem(tmp_path / "r.trec"), load_collection(birds), "q2")
    best = told.documents[0]
    assert (best.id, best.rank, best.score, best.terms, best.indexed) == ("d4", 2, 2.0, None, None)
    assert [(hit.id, hit.rank) for hit in best.ahead] == [("d1", 1)]
    assert told.query_terms == ()


def test_a_query_that_is_not_judged_or_has_no_text(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c", qrels={**QRELS, "lost": {"d1": 1}})
    collection = load_collection(folder)
    with _index(tmp_path, folder) as index:
        with pytest.raises(EvaluationError, match=r"'q-unjudgd' is not judged in c"):
            explain_query(IndexSystem(index), collection, "q-unjudgd")
        with pytest.raises(EvaluationError, match="Did you mean q1"):
            explain_query(IndexSystem(index), collection, "q11")
        with pytest.raises(EvaluationError, match="'lost' of c has no text"):
            explain_query(IndexSystem(index), collection, "lost")


def test_vocabulary_by_hand(tmp_path: Path) -> None:
    corpus = {"a": "red red car", "b": "red bicycle", "c": "red"}
    folder = write_collection(tmp_path / "c", corpus, {"q": "red"}, {"q": {"a": 1}})
    with _index(tmp_path, folder) as index:
        report = vocabulary_report(index, ["red bicycle", " "], common=1)
    assert (report.documents, report.postings, report.vocabulary, report.once) == (3, 5, 3, 2)
    assert report.terms_per_document["mean"] == pytest.approx(5 / 3)
    assert report.terms_per_document["max"] == 2
    assert report.gini == pytest.approx(2 * (1 * 1 + 2 * 1 + 3 * 3) / (3 * 5) - 4 / 3)
    assert report.head_share == pytest.approx(3 / 5)
    (term,) = report.common
    assert (term.word, term.documents, term.share) == ("red", 3, 1.0)
    assert (report.queries, report.query_terms) == (1, 2.0)
    assert report.flops == pytest.approx(4 / 3)
    assert (report.dimension, report.expansion) == (None, None)


def test_expansion_is_what_the_text_does_not_hold(tmp_path: Path, birds: Path) -> None:
    with _index(tmp_path, birds, "splade-tiny-doc") as index:
        report = vocabulary_report(index)
        own, terms = 0, 0
        for names, vectors in index.vectors():
            counts = index.encoder.query_counts([index.document(name).content for name in names])
            for place in range(len(names)):
                own += len(set(vectors[place].terms.tolist()) & set(counts[place].terms.tolist()))
                terms += len(vectors[place].terms)
    assert report.expansion is not None
    assert report.expansion == pytest.approx(1 - own / terms, abs=0.05)
    assert report.dimension == 30_522
    json.dumps(report.to_dict(), allow_nan=False)


def test_an_empty_index_has_no_vocabulary(tmp_path: Path) -> None:
    with (
        Index.create(tmp_path / "empty", encoder="bm25") as index,
        pytest.raises(EvaluationError, match="no document with a term"),
    ):
        vocabulary_report(index)


def test_on_a_judged_collection_every_rank_is_the_servers(tmp_path: Path, beir: Callable[[str], Path]) -> None:
    collection = load_collection(beir("adi"))
    with _index(tmp_path, beir("adi")) as index:
        for query, text in list(collection.queries.items())[:10]:
            told = explain_query(IndexSystem(index), collection, query)
            ranks = {id: rank for rank, (id, _) in enumerate(index.search_batch([text], k=1000)[0], 1)}
            assert {document.id: document.rank for document in told.documents} == {
                document: ranks.get(document) for document in collection.qrels[query]
            }
