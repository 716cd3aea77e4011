"""Bad input and bad days at the shell: each is refused with an error that names the thing and the remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from cli_help import lsr, mount, pets, pets_index, process, refused, small_disk, write_jsonl

from lsr.engine.check import check_index
from lsr.store.schema import FILE_NAME

GOOD = '{"_id": "1", "text": "a dog"}\n'


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where no index is yet."""
    return tmp_path / "index"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return pets_index(tmp_path)


# -- sources -------------------------------------------------------------------------------------------------------


def test_a_missing_source(tmp_path: Path, to: Path) -> None:
    error = refused("index", pets(tmp_path), tmp_path / "nothing.jsonl", "--to", to)
    assert "nothing.jsonl does not exist\nCheck the path" in error
    assert not to.exists()


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_source(tmp_path: Path, to: Path, content: str) -> None:
    (tmp_path / "empty.jsonl").write_text(content)
    error = refused("index", tmp_path / "empty.jsonl", "--to", to)
    assert "empty.jsonl is empty: it holds no document\nCheck that it is the file you mean" in error
    assert not to.exists()


def test_empty_standard_input(to: Path) -> None:
    done = process("index", "-", "--to", to, input=b"")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"stdin is empty" in done.stderr
    assert not to.exists()


def test_a_folder_without_documents(tmp_path: Path, to: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "holds neither a corpus.jsonl nor any file" in refused("index", tmp_path / "folder", "--to", to)


def test_a_malformed_line_stops(tmp_path: Path, to: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(GOOD + '{"_id": "2", "text":\n' + GOOD)
    error = refused("index", tmp_path / "bad.jsonl", "--to", to)
    assert "bad.jsonl, line 2: malformed JSON: " in error
    assert "--on-error skip" in error
    assert not to.exists()


def test_what_was_committed_before_a_malformed_line_is_told_and_kept(tmp_path: Path, to: Path) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", [{"_id": str(n), "text": f"word{n}"} for n in range(500)])
    with rows.open("a") as file:
        file.write("not JSON\n")
    error = refused("index", rows, "--to", to, "--encoder", "bm25")
    assert "line 501: malformed JSON" in error
    assert error.endswith("What came before is committed, 256 documents\n")
    assert lsr("check", to).out == f"{to}: sound, 256 documents in 1 segment\n"
    report = lsr("index", rows, "--to", to, "--on-error", "skip", "--json").json
    assert (report["documents"], report["unchanged"], report["skipped"]) == (500, 256, 1)


def test_malformed_lines_are_skipped_and_counted(tmp_path: Path, to: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(GOOD + "\n".join(["{"] * 12) + "\n" + GOOD.replace("1", "2"))
    outcome = lsr("index", tmp_path / "bad.jsonl", "--to", to, "--encoder", "bm25", "--on-error", "skip")
    assert outcome.code == 0
    assert f"{to}: 2 documents (2 written, 12 skipped)" in outcome.out
    assert "bad.jsonl, line 2: malformed JSON" in outcome.err.splitlines()[0]
    assert outcome.err.splitlines()[-1] == "skipped: 2 more"
    report = lsr("index", tmp_path / "bad.jsonl", "--to", to, "--on-error", "skip", "--json").json
    assert (report["read"], report["skipped"], report["documents"]) == (2, 12, 2)


def test_nothing_but_malformed_lines(tmp_path: Path, to: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{\n[]\n")
    outcome = lsr("index", tmp_path / "bad.jsonl", "--to", to, "--on-error", "skip")
    assert (outcome.code, outcome.out) == (1, "")
    assert "line 1" in outcome.err
    assert "error: nothing to index: all of 2 documents were skipped" in outcome.err
    assert not to.exists()


def test_a_missing_text_field(tmp_path: Path, to: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [{"_id": "1", "body": "a dog"}])
    error = refused("index", source, "--to", to)
    assert "rows.jsonl, line 1: it has no field 'text' (it has '_id', 'body')" in error
    assert "--text NAME" in error
    assert lsr("index", source, "--to", to, "--text", "body", "--encoder", "bm25").code == 0


def test_invalid_utf8(tmp_path: Path, to: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(GOOD.encode() + '{"_id": "2", "text": "caf\xe9"}\n'.encode("latin-1"))
    error = refused("index", tmp_path / "latin.jsonl", "--to", to)
    assert "latin.jsonl, line 2: invalid UTF-8: byte 0xe9 at position 26" in error
    assert "Convert the file to UTF-8" in error
    report = lsr("index", tmp_path / "latin.jsonl", "--to", to, "--on-error", "skip", "--json").json
    assert (report["documents"], report["skipped"]) == (1, 1)


# -- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("search", "DIR", "dog"), ("info", "DIR"), ("check", "DIR"), ("serve", "DIR")])
def test_a_target_that_is_not_an_index(tmp_path: Path, verb: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for name, what in (("nowhere", "does not exist"), ("file", "is a file"), ("folder", f"holds no {FILE_NAME}")):
        error = refused(*(str(tmp_path / name) if word == "DIR" else word for word in verb))
        assert f"{tmp_path / name} is not an index: it {what}\nMake one with `lsr index SOURCE --to DIR`" in error


def test_indexing_into_what_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("folder", "file"):
        error = refused("index", pets(tmp_path), "--to", tmp_path / name)
        assert f"{tmp_path / name} is not an index" in error
        assert "a folder that is empty or not there yet" in error
    assert sorted(entry.name for entry in (tmp_path / "folder").iterdir()) == ["thesis.txt"]


@pytest.mark.parametrize("verb", [("search", "DIR", "dog"), ("index", "SOURCE", "--to", "DIR"), ("check", "DIR")])
def test_another_format_version(tmp_path: Path, path: Path, verb: tuple[str, ...]) -> None:
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    words = {"DIR": str(path), "SOURCE": str(tmp_path / "pets.jsonl")}
    error = refused(*(words.get(word, word) for word in verb))
    assert f"{path / FILE_NAME} has format 99" in error
    assert "Index the documents again" in error


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--encoder", "splade-tiny-doc"), "has encoder 'bm25', not 'splade-tiny-doc'"),
        (("--encoder-setting", "k1=2"), "has k1 0.9, not 2"),
        (("--query-idf", "min"), "has query idf 'collection', not 'min'"),
    ],
)
def test_another_encoder_than_the_index_has(tmp_path: Path, path: Path, options: tuple[str, str], what: str) -> None:
    error = refused("index", tmp_path / "pets.jsonl", "--to", path, *options)
    assert f"{path} {what}" in error
    assert "Leave the option out to add to this index, or choose another folder" in error


@pytest.mark.parametrize("encoder", ["bm25", "splade-tiny-doc"])
def test_the_encoder_is_another_than_when_the_index_was_built(tmp_path: Path, encoder: str) -> None:
    path = pets_index(tmp_path, encoder)
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("UPDATE settings SET value = 'f00d' WHERE name = 'fingerprint'")
        db.execute("DELETE FROM settings WHERE name = 'checksum'")
    db.close()
    for arguments in (("search", path, "dog"), ("index", tmp_path / "pets.jsonl", "--to", path)):
        error = refused(*arguments)
        assert f"{path} was built with '{encoder}' of fingerprint f00d" in error
        assert "index the documents again" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--encoder", "bm52"), "there is no encoder 'bm52'"),
        (("--encoder-setting", "k1"), "the setting 'k1' is not NAME=VALUE"),
        (("--encoder-setting", "max_lenght=3"), "Did you mean 'max_length'"),
        (("--encoder-setting", "max_length=many"), "it must be a whole number"),
        (("--query-idf", "max"), "query_idf is 'max'"),
        (("--encoder", "bm25", "--query-idf", "min"), "bm25 has no idf table"),
        (("--text", ""), "the name of the text field is ''"),
    ],
)
def test_options_of_no_meaning(tmp_path: Path, to: Path, options: tuple[str, ...], message: str) -> None:
    assert message in refused("index", pets(tmp_path), "--to", to, *options)
    assert not to.exists()


def test_an_unknown_setting_of_an_index_that_is_there(tmp_path: Path) -> None:
    for encoder in ("bm25", "splade-tiny-doc"):
        (tmp_path / encoder).mkdir()
        path = pets_index(tmp_path / encoder, encoder)
        error = refused("index", tmp_path / encoder / "pets.jsonl", "--to", path, "--encoder-setting", "k9=1")
        assert f"the encoder {encoder} has no setting 'k9'" in error


# -- queries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "  \t\n"])
def test_an_empty_query(path: Path, query: str) -> None:
    assert refused("search", path, query) == "error: the query is empty\nGive at least one word\n"


@pytest.mark.parametrize("k", ["0", "-3"])
def test_k_below_1(path: Path, k: str) -> None:
    assert refused("search", path, "dog", f"--k={k}") == f"error: k is {k}, it must be 1 or more\n"


@pytest.mark.parametrize(
    ("encoder", "query"), [("bm25", "xylophone zzz"), ("splade-tiny-doc", "ᚠᚢᚦ"), ("bm25", "the?")]
)
def test_a_query_of_unknown_words_only_finds_nothing(tmp_path: Path, encoder: str, query: str) -> None:
    path = pets_index(tmp_path, encoder)
    outcome = lsr("search", path, query)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "No hits: no document holds a word of the query.\n"
    assert lsr("search", path, query, "--json").json["hits"] == []


def test_a_search_of_an_index_without_documents(tmp_path: Path) -> None:
    from lsr import Index

    Index.create(tmp_path / "index", encoder="bm25").close()
    assert lsr("search", tmp_path / "index", "dog").out == "No hits: the index is empty.\n"


def test_a_query_that_is_not_utf8(path: Path) -> None:
    assert "the query is not valid Unicode" in refused("search", path, "dog \udce9")


# -- bad days ------------------------------------------------------------------------------------------------------


def test_a_truncated_segment_gives_no_answer_until_it_is_repaired(path: Path) -> None:
    expected = lsr("search", path, "dog", "--json").json["hits"]
    (segment,) = (path / "segments").iterdir()
    os.truncate(segment, segment.stat().st_size // 2)
    for options in ((), ("--json",)):
        error = refused("search", path, "dog", *options)
        assert f"{segment} is damaged" in error
        assert "lsr check DIR --repair" in error
    assert lsr("check", path, "--repair").code == 0
    assert lsr("search", path, "dog", "--json").json["hits"] == expected


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_flipped_bit_of_a_segment_gives_no_answer(path: Path, share: float) -> None:
    (segment,) = (path / "segments").iterdir()
    data = bytearray(segment.read_bytes())
    data[int(len(data) * share)] ^= 16
    segment.write_bytes(data)
    assert str(segment) in refused("search", path, "dog")
    assert lsr("check", path).code == 1


def test_a_store_that_is_not_one(path: Path) -> None:
    (path / FILE_NAME).write_bytes(b"garbage" * 1000)
    for arguments in (("search", path, "dog"), ("check", path)):
        error = refused(*arguments)
        assert f"{path / FILE_NAME} is damaged: SQLite reports" in error
        assert "Restore it from a copy, or index again" in error


def test_a_full_disk(tmp_path: Path) -> None:
    """What was committed stays, and with room the same command continues."""
    rows = [{"_id": str(n), "text": f"word{n} " * 60} for n in range(6000)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    with small_disk(tmp_path / "disk", 3) as disk:
        path = disk / "index"
        error = refused("index", source, "--to", path, "--encoder", "bm25")
        assert f"no room is left on the device of {path}" in error
        assert "Make room and run the same command again: it continues" in error
        kept = lsr("check", path, "--json")
        assert kept.code == 0
        assert 0 < kept.json["documents"] < 6000
        assert f"What came before is committed, {kept.json['documents']:,} documents" in error
        assert lsr("search", path, "word3").code == 0
        if mount("-o", "remount,size=40m", str(disk)):
            pytest.skip("needs the right to enlarge a tmpfs")
        report = lsr("index", source, "--to", path, "--json").json
        assert report["documents"] == 6000
        assert report["unchanged"] == kept.json["documents"]
        assert check_index(path).sound


def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(1 << 20))
        error = refused("index", pets(tmp_path), "--to", disk / "index", "--encoder", "bm25")
        assert f"no room is left on the device of {disk / 'index'}" in error
        assert not (disk / "index").exists()
        ballast.unlink()
        assert lsr("index", pets(tmp_path), "--to", disk / "index", "--encoder", "bm25").code == 0


def test_no_write_permission(tmp_path: Path, path: Path) -> None:
    with small_disk(tmp_path / "disk", 3) as disk:
        there = shutil.copytree(path, disk / "index")
        if mount("-o", "remount,ro", str(disk)):
            pytest.skip("needs the right to remount a tmpfs read-only")
        for target in (there, disk / "new"):
            error = refused("index", tmp_path / "pets.jsonl", "--to", target)
            assert f"{target}" in error
            assert "may not be written\nCheck its owner and permissions" in error
        assert lsr("search", there, "dog").code == 0
        assert lsr("check", there).code == 0


def test_another_writer(tmp_path: Path, path: Path) -> None:
    from lsr import Index

    with Index.open(path, writable=True):
        error = refused("index", tmp_path / "pets.jsonl", "--to", path)
        assert f"{path} is being written by process {os.getpid()}" in error
        assert lsr("search", path, "dog").code == 0
