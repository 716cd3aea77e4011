"""An index that lives: writers of several threads, background merging, ready vectors, filters, patches, mending."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.encoder import ReadyEncoder, vectors_of

from lsr import Document, Index, SparseVectors, check_index
from lsr.errors import (
    CorruptionError,
    DeviceFailedError,
    DocumentNotFoundError,
    EncoderMismatchError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidSettingError,
    InvalidVectorsError,
    LsrError,
    OutdatedError,
    ReadOnlyIndexError,
    WriterStoppedError,
)
from lsr.index import files
from lsr.store.witness import WITNESS_NAME


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "index", encoder="bm25") as made:
        made.add([Document(f"d{n}", f"fish number{n}", metadata={"n": n, "odd": n % 2 == 1}) for n in range(20)])
        yield made


def ids(index: Index, query: str, **options: Any) -> set[str]:
    return {hit.id for hit in index.search(query, k=100, **options).hits}


def test_threads_share_commits(index: Index) -> None:
    before = index.generation
    failed: list[str] = []
    barrier = threading.Barrier(8)

    def client(number: int) -> None:
        barrier.wait()
        for turn in range(5):
            id = f"t{number}-{turn}"
            report = index.add([Document(id, "cat")])
            if report.generation > index.generation or id not in index:
                failed.append(id)
            if turn == 3:
                index.delete([f"t{number}-0"])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(ids(index, "cat")) == 32
    index.settle()
    index.close()
    assert check_index(index.path).sound
    assert before < check_index(index.path).generation


def test_one_bad_request_of_a_group_leaves_the_others_alone(index: Index) -> None:
    """Requests that wait for the writer's turn together are one commit, and one of them fails."""
    writer = index._writer
    assert writer is not None
    results: dict[str, Any] = {}

    def call(name: str, change: Any) -> None:
        try:
            results[name] = change()
        except LsrError as error:
            results[name] = error

    changes = {
        "a": lambda: index.add([Document("a", "cat")]),
        "bad": lambda: index.patch({"nobody": {}}),
        "b": lambda: index.add([Document("b", "cat"), Document("d1", "cat")]),
        "gone": lambda: index.delete(["d2"]),
    }
    threads = [threading.Thread(target=call, args=item) for item in changes.items()]
    with writer._queue.turn:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(writer._queue._waiting) < number:
                pass
        before = writer.generation
    for thread in threads:
        thread.join()
    assert writer.generation == before + 1
    assert isinstance(results["bad"], DocumentNotFoundError)
    assert results["a"].generation == results["b"].generation == before + 1
    assert results["b"].replaced == 1
    assert results["gone"] == 1
    assert ids(index, "cat") == {"a", "b", "d1"}
    assert len(index) == 21


def test_what_is_added_and_deleted_in_one_commit_is_in_no_segment(index: Index) -> None:
    writer = index._writer
    assert writer is not None

    def work(batch: Any) -> None:
        documents = [Document("x", "cat"), Document("y", "cat")]
        bodies = {document.id: document.to_json().encode() for document in documents}
        batch.add(documents, bodies, index.encoder.encode_documents(["cat", "cat"]))
        batch.delete([batch.find(["x"])["x"][0]])

    writer.run(work)
    index.refresh()
    assert ids(index, "cat") == {"y"}
    assert check_index(index.path).sound


def test_a_commit_can_be_waited_for_without_being_seen(index: Index) -> None:
    assert len(index) == 20
    report = index.add([Document("new", "cat")], wait="committed")
    assert (len(index), report.generation) == (20, index.generation + 1)
    assert index.refresh()
    assert ids(index, "cat") == {"new"}
    with pytest.raises(InvalidSettingError, match="wait is 'never'"):
        index.add([Document("x", "y")], wait="never")


def test_deletes_and_searches_by_filter(index: Index) -> None:
    assert ids(index, "fish", filter={"n": {"$lt": 3}}) == {"d0", "d1", "d2"}
    unfiltered = {hit.id: hit.score for hit in index.search("fish", k=100).hits}
    filtered = index.search("fish", k=2, filter={"odd": True}).hits
    assert [(hit.id, hit.score) for hit in filtered] == [(id, unfiltered[id]) for id in ("d1", "d3")]
    assert index.delete(filter={"odd": True, "n": {"$gte": 5}}) == 8
    assert len(index) == 12
    assert ids(index, "fish", filter={"odd": True}) == {"d1", "d3"}
    assert index.delete(filter={"n": 1000}) == 0
    with pytest.raises(InvalidFilterError, match="either a list of ids or a filter"):
        index.delete(["d1"], filter={})
    with pytest.raises(InvalidFilterError, match="either a list of ids or a filter"):
        index.delete("d1")
    with pytest.raises(InvalidFilterError, match="no operator"):
        index.search("fish", filter={"n": {"$near": 3}})


def test_metadata_is_patched_without_encoding(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.encoder, "encode_documents", None)
    before = index.search("fish", k=100).hits
    with Index.open(index.path) as reader:
        assert reader.document("d1").metadata == {"n": 1, "odd": True}
        index.patch({"d1": {"n": None, "deep": {"a": 1, "b": None}}, "d2": {"n": 200}})
        assert reader.document("d1").metadata == {"n": 1, "odd": True}
    assert index.document("d1").metadata == {"odd": True, "deep": {"a": 1}}
    index.patch({"d1": {"deep": {"c": 2}}})
    assert index.document("d1").metadata == {"odd": True, "deep": {"a": 1, "c": 2}}
    index.patch({"d1": {"only": "this"}}, replace=True)
    assert index.document("d1").metadata == {"only": "this"}
    assert [(hit.id, hit.score) for hit in index.search("fish", k=100).hits] == [(hit.id, hit.score) for hit in before]
    generation = index.generation
    index.patch({"d2": {"n": 200}})
    assert index.generation == generation
    with pytest.raises(DocumentNotFoundError, match="'nobody'"):
        index.patch({"d2": {"n": 5}, "nobody": {}})
    with pytest.raises(InvalidDocumentError, match="must be a dict"):
        index.patch({"d2": 3})  # type: ignore[dict-item]
    with pytest.raises(InvalidDocumentError, match="cannot be stored as JSON"):
        index.patch({"d2": {"n": float("nan")}})
    assert index.document("d2").metadata["n"] == 200


def test_ready_vectors_are_what_encoding_gives(tmp_path: Path) -> None:
    texts = {f"d{n}": f"apples and pears, number {n}" for n in range(12)}
    documents = [Document(*item) for item in texts.items()]
    for name in ("bm25", "splade-tiny-doc"):
        with (
            Index.create(tmp_path / f"a-{name}", encoder=name) as a,
            Index.create(tmp_path / f"b-{name}", encoder=name) as b,
        ):
            a.add(documents)
            if name == "bm25":
                b.add(documents)  # it has a vocabulary of its own, which grows by texts only
            vectors = b.encoder.encode_documents(list(texts.values()))
            report = b.add_vectors(documents, vectors, fingerprint=b.encoder.fingerprint)
            assert report.added == 12
            queries = ["pears", "number 3"]
            assert a.search_batch(queries, k=20) == b.search_batch(queries, k=20)


def test_ready_vectors_are_checked(tmp_path: Path) -> None:
    encoder = ReadyEncoder()
    documents = [Document("a", ""), Document("b", ""), Document("a", "", title="the last counts")]
    vectors = vectors_of([("a", 1), ("b", 1), ("a", 2)])
    with Index.create(tmp_path / "index", encoder=encoder) as index:
        assert index.add_vectors(documents, vectors, fingerprint="ready").added == 2
        assert index.document("a").title == "the last counts"
        found = next(iter(index.vectors()))
        assert dict(zip(found[0], found[1].to_dicts(), strict=True))["a"] == pytest.approx(vectors.to_dicts()[2])
        with pytest.raises(EncoderMismatchError, match="name no encoder"):
            index.add_vectors(documents, vectors, fingerprint=None)
        with pytest.raises(EncoderMismatchError, match="come from the encoder other"):
            index.add_vectors(documents, vectors, fingerprint="other")
        with pytest.raises(InvalidVectorsError, match="3 vectors for 2 documents"):
            index.add_vectors(documents[:2], vectors, fingerprint="ready")
        wide = SparseVectors.from_dicts([{5000: 1.0}], 6000)
        with pytest.raises(InvalidVectorsError, match="term 5000 is beyond"):
            index.add_vectors(documents[:1], wide, fingerprint="ready")
        with pytest.raises(InvalidDocumentError, match="id is ''"):
            index.add_vectors([Document("", "")], vectors[0], fingerprint="ready")
        assert len(index) == 2


def test_merging_keeps_what_died_meanwhile_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        merger, writer = index._merger, index._writer
        assert merger is not None
        assert writer is not None
        wake, merger.wake = merger.wake, lambda: None  # type: ignore[method-assign]
        for number in range(4):
            index.add([Document(f"{number}-{n}", f"fish word{n}") for n in range(30)])
        index.delete(["0-3"])
        build = writer.build_aside

        def build_while_others_delete(*arguments: Any) -> Any:
            merged = build(*arguments)
            monkeypatch.setattr(writer, "build_aside", build)
            index.delete(["0-5", "1-1", "3-29"])
            return merged

        monkeypatch.setattr(writer, "build_aside", build_while_others_delete)
        expected = {hit.id for hit in index.search("fish", k=200).hits} - {"0-5", "1-1", "3-29"}
        wake()
        index.settle()
        index.refresh()
        assert merger.merges >= 1
        assert ids(index, "fish") == ids(index, "fish word1") & expected
        assert {hit.id for hit in index.search("fish", k=200).hits} == expected
        with Index.create(tmp_path / "fresh", encoder="bm25") as fresh:
            fresh.add([index.document(id) for id in sorted(expected)])
            same = fresh.search_batch(["fish", "word1", "word5"], k=200)
        found = index.search_batch(["fish", "word1", "word5"], k=200)
        assert [sorted(hits) for hits in found] == [sorted(hits) for hits in same]
    assert check_index(tmp_path / "index").sound


def test_few_segments_are_left_when_it_is_quiet(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        for number in range(60):
            index.add([Document(f"{number}-{n}", f"word{n}") for n in range(40)], wait="committed")
        index.settle()
        index.refresh()
        assert len(index.info().segments) <= 3
        assert len(index) == 2400
        names = {segment.name for segment in index.info().segments}
    assert {path.name for path in (tmp_path / "index" / "segments").iterdir()} == names


def flip_in_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)


def test_a_writer_mends_damaged_segments_by_itself(index: Index) -> None:
    index.add([Document("more", "fish")])
    expected = index.search("fish", k=100).hits
    segments = sorted((index.path / "segments").iterdir())
    index.close()
    flip_in_the_middle(segments[0])
    segments[1].unlink()
    with Index.open(index.path) as reader, pytest.raises(CorruptionError, match="is damaged"):
        reader.search("fish")
    with Index.open(index.path, writable=True) as writer:
        assert writer.search("fish", k=100).hits == expected
        assert set(writer.mended) == {segment.name for segment in segments}
    assert check_index(index.path).sound


def test_a_writer_that_meets_damage_while_deleting_mends_it(index: Index) -> None:
    (segment,) = (index.path / "segments").iterdir()
    index.close()
    flip_in_the_middle(segment)
    with Index.open(index.path, writable=True) as writer:
        assert writer.delete(["d3"]) == 1
        assert writer.mended == (segment.name,)
        assert ids(writer, "fish") == {f"d{n}" for n in range(20) if n != 3}
    assert check_index(index.path).sound


def test_large_files_are_compared_in_the_background(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from lsr.engine import generations

    monkeypatch.setattr(generations, "SMALL", 0)
    (segment,) = (index.path / "segments").iterdir()
    index.close()
    with Index.open(index.path, verify="background") as reader:
        assert len(ids(reader, "fish")) == 20
    flip_in_the_middle(segment)
    with Index.open(index.path, verify="background") as reader:
        assert reader._generations is not None
        assert reader._generations._thread is not None
        reader._generations._thread.join()
        with pytest.raises(CorruptionError, match=segment.name):
            reader.search("fish")
    with Index.open(index.path) as reader, pytest.raises(CorruptionError, match=segment.name):
        reader.search("fish")
    with pytest.raises(InvalidSettingError, match="verify is 'later'"):
        Index.open(index.path, verify="later")


def test_a_segment_cut_under_a_reader_is_refused_before_it_is_read(index: Index) -> None:
    (segment,) = (index.path / "segments").iterdir()
    with Index.open(index.path) as reader:
        assert reader.search("fish").hits
        os.truncate(segment, 100)
        with pytest.raises(CorruptionError, match="when it was opened it had"):
            reader.search("fish")


def test_earlier_formats_are_built_anew(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = index.search("fish", k=100).hits
    index.close()
    monkeypatch.setattr(files, "VERSION", files.VERSION + 1)
    with Index.open(index.path) as reader, pytest.raises(OutdatedError, match="--repair"):
        reader.search("fish")
    with Index.open(index.path, writable=True) as writer:
        assert writer.search("fish", k=100).hits == expected
    with Index.open(index.path) as reader:
        assert reader.search("fish", k=100).hits == expected


def test_after_a_failed_flush_nothing_more_is_written(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    real = os.fsync
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DeviceFailedError, match="flushing failed"):
        index.add([Document("lost", "fish")])
    monkeypatch.setattr(os, "fsync", real)
    with pytest.raises(WriterStoppedError, match="takes no more writes"):
        index.add([Document("more", "fish")])
    with pytest.raises(WriterStoppedError, match="takes no more writes"):
        index.optimize()
    assert len(ids(index, "fish")) == 20
    index.close()
    with Index.open(index.path, writable=True) as again:
        again.add([Document("more", "fish")])
        assert len(again) == 21
    assert check_index(index.path).sound


def test_lost_commits_are_noticed(index: Index) -> None:
    index.close()
    old = (index.path / "store.sqlite").read_bytes()
    with Index.open(index.path, writable=True) as writer:
        writer.add([Document("more", "fish")])
    segments = sorted((index.path / "segments").iterdir())
    assert len(segments) == 2
    (index.path / "store.sqlite").write_bytes(old)
    with Index.open(index.path) as reader, pytest.raises(CorruptionError, match="generation 1, but 2 was committed"):
        reader.search("fish")
    with pytest.raises(CorruptionError, match="generation 1, but 2 was committed"):
        Index.open(index.path, writable=True)
    assert not check_index(index.path).sound
    report = check_index(index.path, repair=True)
    assert report.sound
    assert "generation 1, but 2" in report.repaired[0]
    with Index.open(index.path) as reader:
        assert len(reader) == 20


def test_a_store_of_another_index_is_refused(index: Index, tmp_path: Path) -> None:
    index.close()
    with Index.create(tmp_path / "other", encoder="bm25") as other:
        other.add([Document("x", "y")])
        other.add([Document("z", "y")])
    (index.path / "store.sqlite").write_bytes((tmp_path / "other" / "store.sqlite").read_bytes())
    with Index.open(index.path) as reader, pytest.raises(CorruptionError, match="store of another index"):
        reader.search("y")
    assert not check_index(index.path, repair=True).sound


@pytest.mark.parametrize("text", ["", "nonsense", "00000000000000000009 abc 0123456789abcdef\n"])
def test_a_note_that_cannot_be_believed_is_nothing(index: Index, text: str) -> None:
    index.close()
    (index.path / WITNESS_NAME).write_text(text)
    with Index.open(index.path) as reader:
        assert len(ids(reader, "fish")) == 20
    assert check_index(index.path).sound


def test_changed_settings_are_found(index: Index) -> None:
    import sqlite3

    index.close()
    with sqlite3.connect(index.path / "store.sqlite") as db:
        db.execute("UPDATE settings SET value = 'model' WHERE name = 'query_idf'")
    db.close()
    with pytest.raises(CorruptionError, match="checksum of its settings"):
        Index.open(index.path)


def test_a_closed_index_says_so(index: Index) -> None:
    index.close()
    index.close()
    with pytest.raises(ReadOnlyIndexError, match="is closed"):
        index.search("fish")
    with pytest.raises(ReadOnlyIndexError, match="is closed"):
        index.add([Document("x", "y")])
    with pytest.raises(ReadOnlyIndexError, match="is closed"):
        index.refresh()
