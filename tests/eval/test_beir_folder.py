"""A collection in BEIR's layout: what is read, what is refused and by which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_collection import CORPUS, QRELS, write_collection, write_lines

from lsr.documents import Document
from lsr.errors import EvaluationError
from lsr.eval import BeirFolder, load_collection


def test_a_folder_is_a_collection(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    assert (collection.name, collection.split) == ("birds", "test")
    assert [document.id for document in collection.documents()] == list(CORPUS)
    assert collection.qrels == QRELS
    assert collection.document_count == len(CORPUS)
    assert collection.warnings == ()


def test_only_judged_queries_are_asked(tmp_path: Path) -> None:
    assert list(load_collection(write_collection(tmp_path)).queries) == ["q1", "q2", "q3"]


def test_the_split_chooses_the_judgements(tmp_path: Path) -> None:
    write_collection(tmp_path)
    write_collection(tmp_path, qrels={"q-unjudged": {"d1": 1}}, split="train")
    assert list(load_collection(tmp_path, split="train").queries) == ["q-unjudged"]
    with pytest.raises(EvaluationError, match=r"no qrels/dev\.tsv \(splits that are there: test, train\)"):
        load_collection(tmp_path, split="dev")


def test_documents_keep_title_and_other_fields(tmp_path: Path) -> None:
    write_collection(tmp_path)
    record = {"_id": 7, "title": None, "text": "x", "metadata": {"url": "u"}, "year": 1999}
    write_lines(tmp_path / "corpus.jsonl", [record])
    assert list(BeirFolder(tmp_path).documents()) == [Document("7", "x", "", {"url": "u", "year": 1999})]


def test_judgements_without_header_in_trec_columns_and_with_a_mark(tmp_path: Path) -> None:
    write_collection(tmp_path)
    qrels = tmp_path / "qrels" / "test.tsv"
    qrels.write_text("q1 0 d1 2\nq2 0 d3 0\n")
    assert BeirFolder(tmp_path).qrels == {"q1": {"d1": 2}, "q2": {"d3": 0}}
    qrels.write_bytes(b"\xef\xbb\xbfquery-id\tcorpus-id\tscore\r\nq1\td 1\t-1\r\n\r\n")
    assert BeirFolder(tmp_path).qrels == {"q1": {"d 1": -1}}


def test_a_judged_query_without_text_stays_judged_and_is_told(tmp_path: Path) -> None:
    write_collection(tmp_path, qrels={**QRELS, "lost": {"d1": 1}})
    collection = BeirFolder(tmp_path)
    assert "lost" in collection.qrels
    assert "lost" not in collection.queries
    assert collection.warnings == ("1 judged queries have no text in queries.jsonl (first: 'lost'); they count as 0",)


def test_contradicting_judgements_are_told_and_the_last_counts(tmp_path: Path) -> None:
    write_collection(tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text("q1\td1\t1\nq1\td1\t1\nq1\td1\t2\n")
    collection = BeirFolder(tmp_path)
    assert collection.qrels == {"q1": {"d1": 2}}
    assert "1 judgements contradict" in collection.warnings[0]


def test_self_matches_are_dropped_only_where_queries_are_documents(tmp_path: Path) -> None:
    assert not load_collection(write_collection(tmp_path / "plain")).drop_self_matches
    assert load_collection(write_collection(tmp_path / "ArguAna")).drop_self_matches
    assert load_collection(write_collection(tmp_path / "quora")).drop_self_matches
    assert load_collection(tmp_path / "plain", drop_self_matches=True).drop_self_matches
    assert not load_collection(tmp_path / "quora", drop_self_matches=False).drop_self_matches


def test_the_digest_changes_with_any_byte_and_only_with_the_content(tmp_path: Path) -> None:
    first = load_collection(write_collection(tmp_path / "a")).digest()
    assert load_collection(write_collection(tmp_path / "b")).digest() == first
    assert set(first) == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}
    with (tmp_path / "b" / "queries.jsonl").open("a") as file:
        file.write("\n")
    changed = load_collection(tmp_path / "b").digest()
    assert {part for part in first if changed[part] != first[part]} == {"queries.jsonl"}


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_missing_file_is_named_with_what_is_there(tmp_path: Path, name: str) -> None:
    (write_collection(tmp_path) / name).unlink()
    with pytest.raises(EvaluationError, match=rf"has no {name} \(in the folder: .*qrels.*\)"):
        load_collection(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"_id": "x", "text": \n', "line 2: not JSON"),
        (b'["x"]\n', "line 2: not a JSON object"),
        (b'{"text": "no id"}\n', "line 2: _id is None"),
        (b'{"_id": "", "text": "no id"}\n', "line 2: _id is ''"),
        (b'{"_id": "x", "text": "\xff"}\n', "line 2: not UTF-8"),
        (b'{"_id": "x", "text": 5}\n', "line 2: "),
    ],
)
@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_malformed_line_is_named(tmp_path: Path, name: str, line: bytes, reason: str) -> None:
    write_collection(tmp_path)
    (tmp_path / name).write_bytes(b'{"_id": "ok", "text": "fine"}\n' + line)
    with pytest.raises(EvaluationError, match=reason) as caught:
        list(load_collection(tmp_path).documents())
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("q1\td1\n", "line 1: 2 columns"),
        ("query-id\tcorpus-id\tscore\nq1\td1\tyes\n", "line 2: the score 'yes'"),
        ("q1\t\t1\n", "line 1: 3 columns"),
        ("query-id\tcorpus-id\tscore\n", "holds no judgement"),
    ],
)
def test_malformed_judgements_are_named(tmp_path: Path, text: str, reason: str) -> None:
    write_collection(tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text(text)
    with pytest.raises(EvaluationError, match=reason):
        load_collection(tmp_path)


def test_a_query_that_is_there_twice_and_differs_is_refused(tmp_path: Path) -> None:
    write_collection(tmp_path)
    write_lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "a"}, {"_id": "q1", "text": "b"}])
    with pytest.raises(EvaluationError, match="line 2: the query 'q1' is there twice"):
        load_collection(tmp_path)


def test_a_missing_folder_suggests_the_nearest(tmp_path: Path) -> None:
    write_collection(tmp_path / "scifact")
    with pytest.raises(EvaluationError, match=r"Did you mean .*scifact\?"):
        load_collection(tmp_path / "scifcat")
    with pytest.raises(EvaluationError, match="is a file"):
        load_collection(tmp_path / "scifact" / "corpus.jsonl")


def test_adi_is_read_whole(beir: Callable[[str], Path]) -> None:
    collection = load_collection(beir("adi"))
    assert len(list(collection.documents())) == collection.document_count == 82
    assert len(collection.queries) == len(collection.qrels) == 35
    assert sum(map(len, collection.qrels.values())) == 170
    assert not collection.drop_self_matches  # its queries and documents are both numbered from 1


def test_scifact_keeps_the_judged_queries_of_each_split(beir: Callable[[str], Path]) -> None:
    assert len(load_collection(beir("scifact")).queries) == 300
    assert len(load_collection(beir("scifact"), split="train").queries) == 809
