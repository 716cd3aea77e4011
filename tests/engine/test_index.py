"""An index as its user meets it: make, add, replace, delete, reopen, search, explain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lsr import Document, Index, SparseVectors
from lsr.errors import (
    DocumentNotFoundError,
    EncoderMismatchError,
    IndexExistsError,
    InvalidDocumentError,
    InvalidQueryError,
    InvalidSettingError,
    NotAnIndexError,
    ReadOnlyIndexError,
    UnknownEncoderError,
    WriterLockedError,
)

TEXTS = {
    "cat": "The cat sleeps on the warm windowsill all afternoon.",
    "dog": "A dog barks at the postman; the cat does not care.",
    "fish": "Fish live in water and cannot bark.",
    "bird": "Birds sing in the morning, long before the dog wakes.",
}


def documents() -> list[Document]:
    return [Document(id, text, title=id.title(), metadata={"legs": 4, "of": [id]}) for id, text in TEXTS.items()]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "index", encoder="bm25") as made:
        made.add(documents())
        yield made


def ids(index: Index, query: str, k: int = 10) -> list[str]:
    return [hit.id for hit in index.search(query, k=k).hits]


def test_finds_and_returns_whole_documents(index: Index) -> None:
    hits = index.search("barking dog").hits
    assert hits[0].id == "dog"
    assert hits[0].document == documents()[1]
    assert {hit.id for hit in hits} == {"dog", "fish", "bird"}
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert all(a.score >= b.score for a, b in itertools.pairwise(hits))


def test_reopening_gives_the_same_answers(index: Index) -> None:
    before = index.search("the cat and the dog", explain=True)
    index.close()
    with Index.open(index.path) as again:
        after = again.search("the cat and the dog", explain=True)
        assert len(again) == 4
    assert after.hits == before.hits
    assert after.generation == before.generation == 1


def test_explanations_add_up_to_the_score(index: Index) -> None:
    response = index.search("cat dog bark morning", explain=True)
    assert response.exact
    for hit in response.hits:
        assert hit.explanation
        assert sum(term.integer for term in hit.explanation) == hit.integer_score
        assert sum(term.contribution for term in hit.explanation) == pytest.approx(hit.score, rel=1e-12)
        for term in hit.explanation:
            assert term.contribution == pytest.approx(term.query_weight * term.document_weight)
    assert index.search("cat").hits[0].explanation is None


def test_the_same_id_replaces(index: Index) -> None:
    report = index.add([Document("cat", "A completely different text about zebras."), Document("new", "zebras")])
    assert (report.added, report.replaced) == (2, 1)
    assert len(index) == 5
    assert ids(index, "windowsill") == []
    assert set(ids(index, "zebras")) == {"cat", "new"}
    assert index.document("cat").title == ""


def test_the_last_of_one_id_in_a_batch_counts(index: Index) -> None:
    report = index.add([Document("x", "first"), Document("x", "second")])
    assert report.added == 1
    assert ids(index, "first") == []
    assert ids(index, "second") == ["x"]


def test_unchanged_documents_can_be_skipped(index: Index) -> None:
    generation = index.generation
    report = index.add(documents(), skip_unchanged=True)
    assert (report.added, report.unchanged) == (0, 4)
    assert index.generation == generation
    changed = [*documents()[:3], Document("bird", "An owl.", title="Bird")]
    report = index.add(changed, skip_unchanged=True)
    assert (report.added, report.replaced, report.unchanged) == (1, 1, 3)


def test_deleted_documents_are_gone(index: Index) -> None:
    assert index.delete(["dog", "nobody"]) == 1
    assert len(index) == 3
    assert "dog" not in index
    assert "dog" not in ids(index, "dog barks")
    with pytest.raises(DocumentNotFoundError, match="no document has the id 'dog'"):
        index.document("dog")
    assert index.delete([]) == 0
    index.delete(list(TEXTS))
    assert len(index) == 0
    assert ids(index, "cat") == []
    index.add(documents())
    assert "dog" in ids(index, "dog barks")


def test_document_frequencies_are_of_the_living(tmp_path: Path) -> None:
    """Deleting gives the scores of an index that never had the document, before and after optimizing."""
    many = [Document(str(n), f"common word{n % 7} word{n % 3}") for n in range(200)]
    kept = [document for document in many if int(document.id) % 4]
    with (
        Index.create(tmp_path / "a", encoder="bm25") as with_dead,
        Index.create(tmp_path / "b", encoder="bm25") as fresh,
    ):
        with_dead.add(many)
        with_dead.delete([document.id for document in many if int(document.id) % 4 == 0])
        fresh.add(kept)
        expected = [(hit.id, hit.score) for hit in fresh.search("common word1 word2", k=50).hits]
        found = [(hit.id, hit.score) for hit in with_dead.search("common word1 word2", k=50).hits]
        assert with_dead.info().segments[0].deleted == 50
        assert found == expected
        with_dead.optimize()
        assert with_dead.info().segments[0].deleted == 0
        assert [(hit.id, hit.score) for hit in with_dead.search("common word1 word2", k=50).hits] == expected


def test_segments_do_not_change_results(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    many = [Document(str(n), " ".join(f"w{w}" for w in rng.zipf(1.4, 30) if w < 500) or "w1") for n in range(900)]
    answers = []
    for number, size in enumerate((900, 100, 37)):
        with Index.create(tmp_path / str(number), encoder="bm25") as index:
            for start in range(0, len(many), size):
                index.add(many[start : start + size])
            index.optimize()
            found = index.search_batch(["w1 w7 w30", "w2", "w400 w3"], k=200)
            answers.append(found)
            assert index.search_batch(["w1 w7 w30", "w2", "w400 w3"], k=200, threads=4) == found
            assert len(index.info().segments) == 1
    assert answers[0] == answers[1] == answers[2]


def test_many_small_commits_are_merged(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="splade-tiny-doc") as index:
        for number in range(20):
            index.add([Document(str(number), f"document number {number} about apples")])
        index.settle()
        index.refresh()
        info = index.info()
        assert info.documents == 20
        assert len(info.segments) < 12
        assert len(list((tmp_path / "index" / "segments").iterdir())) == len(info.segments)
        assert len(ids(index, "apples", k=50)) == 20


def test_optimizing_twice_commits_once(index: Index) -> None:
    index.add([Document("more", "and more")])
    index.optimize()
    generation = index.generation
    index.optimize()
    assert index.generation == generation


def test_a_reader_keeps_its_generation(index: Index) -> None:
    with Index.open(index.path) as reader:
        assert len(reader) == 4
        index.delete(["cat"])
        index.add([Document("cow", "The cow chews grass.")])
        index.optimize()
        assert len(reader) == 4
        assert reader.generation == 1
        assert "cat" in ids(reader, "windowsill")
        assert reader.refresh()
        assert not reader.refresh()
        assert ids(reader, "windowsill") == []
        assert ids(reader, "grass") == ["cow"]


def test_one_writer_at_a_time(index: Index) -> None:
    with pytest.raises(WriterLockedError, match=r"is being written by process \d+ on "):
        Index.open(index.path, writable=True)
    index.close()
    Index.open(index.path, writable=True).close()


def test_a_reader_refuses_writes(index: Index) -> None:
    with Index.open(index.path) as reader, pytest.raises(ReadOnlyIndexError, match="writable=True"):
        reader.add(documents())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (Document("", "text"), "id is ''"),
        (Document("x", "  "), "neither title nor text"),
        (Document("x", "a \ud800 surrogate"), "cannot be stored as JSON"),
        (Document("x", "text", metadata={"n": float("nan")}), "cannot be stored as JSON"),
        (Document(3, "text"), "id is 3"),  # type: ignore[arg-type]
    ],
)
def test_bad_documents_change_nothing(index: Index, document: Document, message: str) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        index.add([Document("good", "good"), document])
    assert len(index) == 4
    assert "good" not in index


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_query_is_refused(index: Index, query: str) -> None:
    with pytest.raises(InvalidQueryError, match="the query is empty"):
        index.search(query)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3", None])
def test_k_must_be_a_whole_number_from_one(index: Index, k: object) -> None:
    with pytest.raises(InvalidQueryError, match="k is"):
        index.search("cat", k=k)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoder", ["bm25", "splade-tiny-doc"])
def test_unknown_words_find_nothing(tmp_path: Path, encoder: str) -> None:
    with Index.create(tmp_path / "index", encoder=encoder) as index:
        index.add(documents())
        assert index.search("🦖🦖").hits == ()
        assert index.search("qqqq", k=10**9).k == 10**9


def test_more_hits_than_documents(index: Index) -> None:
    assert len(index.search("the cat dog fish birds", k=10**9).hits) == 4


def test_a_vector_needs_the_encoder_that_made_it(index: Index) -> None:
    row = index.encoder.query_counts(["barking dog"])
    by_text = index.search("barking dog")
    by_vector = index.search(vector=row, fingerprint=index.encoder.fingerprint)
    assert by_vector.hits == by_text.hits
    with pytest.raises(EncoderMismatchError, match="comes from the encoder 0123456789ab"):
        index.search(vector=row, fingerprint="0123456789abcdef")
    with pytest.raises(EncoderMismatchError, match="names no encoder"):
        index.search(vector=row)
    with pytest.raises(InvalidQueryError, match="either a query text or a query vector"):
        index.search("cat", vector=row)
    two = SparseVectors.concat([row, row])
    with pytest.raises(InvalidQueryError, match="one row, not 2"):
        index.search(vector=two, fingerprint=index.encoder.fingerprint)


def test_opening_with_another_encoder_is_refused(index: Index) -> None:
    from lsr.encoders.bm25 import BM25Encoder
    from lsr.encoders.terms import InMemoryTerms

    with pytest.raises(EncoderMismatchError, match="was built with 'bm25' of fingerprint"):
        Index.open(index.path, encoder=BM25Encoder(InMemoryTerms(), k1=2.0))


def test_targets_that_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(NotAnIndexError, match="does not exist"):
        Index.open(tmp_path / "nothing")
    with pytest.raises(NotAnIndexError, match=r"holds no store\.sqlite"):
        Index.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAnIndexError, match="it is a file"):
        Index.open(tmp_path / "file")
    assert not (tmp_path / "writer.lock").exists()


def test_creating_over_something_is_refused(index: Index, tmp_path: Path) -> None:
    with pytest.raises(IndexExistsError, match="already holds an index"):
        Index.create(index.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(IndexExistsError, match="is not an empty folder"):
        Index.create(tmp_path / "full")
    assert (tmp_path / "full" / "file").read_text() == "mine"


def test_bad_settings_make_no_index(tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoderError, match="bm26"):
        Index.create(tmp_path / "a", encoder="bm26")
    with pytest.raises(InvalidSettingError, match="query_idf is 'corpus'"):
        Index.create(tmp_path / "a", encoder="bm25", query_idf="corpus")
    with pytest.raises(InvalidSettingError, match="weights queries by its own model"):
        Index.create(tmp_path / "a", encoder="splade-tiny", query_idf="collection")
    assert not (tmp_path / "a").exists()


def test_searches_from_many_threads_agree(index: Index) -> None:
    expected = index.search("cat dog", explain=True).hits
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: index.search("cat dog", explain=True).hits, range(200)))
    assert all(hits == expected for hits in answers)


def test_a_greater_weight_rescales_all_segments(tmp_path: Path) -> None:
    """Impacts are relative to one ceiling: scores of old documents stay what a fresh index gives."""
    easy = [Document(str(n), "a plain text of nothing much") for n in range(10)]
    heavy = [Document("h", "mitochondrion mitochondria")]
    with (
        Index.create(tmp_path / "a", encoder="splade-tiny") as grown,
        Index.create(tmp_path / "b", encoder="splade-tiny") as fresh,
    ):
        for document in easy:
            grown.add([document])
        grown.add(heavy)
        fresh.add(easy + heavy)
        for query in ("plain text", "mitochondria"):
            a, b = (index.search_batch([query], k=20)[0] for index in (grown, fresh))
            assert a == b


def test_results_name_their_parts(index: Index) -> None:
    record = index.search("warm cat", k=1, explain=True).to_dict()
    assert record["query"] == "warm cat"
    assert record["exact"] is True
    assert {term["word"] for term in record["terms"]} == {"warm", "cat"}
    (hit,) = record["hits"]
    assert hit["metadata"] == {"legs": 4, "of": ["cat"]}
    shown = hit["snippet"]["text"]
    assert {shown[start:end] for start, end in hit["snippet"]["matches"]} == {"cat", "warm"}
