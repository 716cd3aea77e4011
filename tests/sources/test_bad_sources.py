"""Every bad input: the error names the thing, its place and the remedy; nothing else goes wrong with it."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lsr.errors import InvalidSettingError, LsrError, MalformedDocumentError, SourceError
from lsr.sources import Fields, ReadReport, read_documents
from lsr.sources import json_array as json_array_module
from lsr.sources import lines as lines_module
from lsr.sources import text_folder as text_folder_module
from lsr.sources.source import OnError

GOOD = b'{"id": "good", "text": "fine"}'


def refusal(path: Path | str, **options: Any) -> str:
    """The message of the error that reading raises, the remedy included."""
    with pytest.raises(SourceError) as caught:
        list(read_documents(path, **options))
    return str(caught.value)


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def deep(levels: int) -> bytes:
    return b'{"text": "x", "a": ' + b"[" * levels + b"]" * levels + b"}"


BAD_LINES: list[tuple[str, bytes, str]] = [
    ("malformed", b'{"text": "x"', "malformed JSON: Expecting ',' delimiter at column 13"),
    ("cut", b'{"text": "x', "malformed JSON: Unterminated string"),
    ("two", b'{"text": "x"} {"text": "y"}', "malformed JSON: Extra data at column 15"),
    ("digits", b'{"text": "x", "n": ' + b"1" * 5000 + b"}", "malformed JSON: Exceeds the limit"),
    ("deep", deep(200_000), "malformed JSON: "),
    ("rather deep", deep(150), "the field 'a' is nested more than 100 levels deep"),
    ("utf-8", b'{"text": "caf\xe9 x"}', "invalid UTF-8: byte 0xe9 at position 14"),
    ("utf-16", '{"text": "x"}'.encode("utf-16"), "invalid UTF-8: byte 0xff at position 1"),
    ("list", b'["text"]', "a JSON object is expected, this is a list"),
    ("string", b'"text"', "a JSON object is expected, this is a string"),
    ("null", b"null", "a JSON object is expected, this is null"),
    ("number", b"17", "a JSON object is expected, this is a number"),
    ("no text", b'{"id": 1, "body": "x"}', "it has no field 'text' (it has 'id', 'body')"),
    ("nothing", b"{}", "it has no field 'text' (it has nothing)"),
    ("blank", b'{"id": 1, "text": " ", "title": ""}', "it has neither a title nor a text"),
    ("null text", b'{"id": 1, "text": null}', "it has neither a title nor a text"),
    ("text list", b'{"text": ["x"]}', "the field 'text' is a list, it must be a string"),
    ("title number", b'{"text": "x", "title": 3}', "the field 'title' is a number, it must be a string"),
    ("id float", b'{"id": 1.5, "text": "x"}', "the id 'id' is a number, it must be a string or an integer"),
    ("id bool", b'{"id": true, "text": "x"}', "the id 'id' is true or false, it must be a string or an integer"),
    ("id object", b'{"_id": {}, "text": "x"}', "the id '_id' is an object, it must be a string or an integer"),
    ("id nul", b'{"id": "a\\u0000", "text": "x"}', "the id 'id' holds a NUL character"),
    ("nul", b'{"text": "a\\u0000b"}', "the field 'text' holds a NUL character"),
    (
        "surrogate",
        b'{"text": "a\\ud800b"}',
        "the field 'text' holds the lone surrogate \\ud800, which UTF-8 cannot hold",
    ),
    ("title surrogate", b'{"text": "x", "title": "\\udfff"}', "the field 'title' holds the lone surrogate \\udfff"),
    ("metadata surrogate", b'{"text": "x", "m": ["\\udc80"]}', "the field 'm' holds the lone surrogate \\udc80"),
    ("metadata key", b'{"text": "x", "m": {"\\udc80": 1}}', "the field 'm' holds the lone surrogate \\udc80"),
    ("field name", b'{"text": "x", "\\ud801": 1}', "holds the lone surrogate \\ud801"),
    ("nan", b'{"text": "x", "score": NaN}', "the field 'score' holds nan, which JSON cannot hold"),
    ("infinity", b'{"text": "x", "m": {"s": [-Infinity]}}', "the field 'm' holds -inf, which JSON cannot hold"),
    ("too great", b'{"text": "x", "score": 1e999}', "the field 'score' holds inf, which JSON cannot hold"),
]


@pytest.mark.parametrize(("line", "reason"), [case[1:] for case in BAD_LINES], ids=[case[0] for case in BAD_LINES])
def test_a_bad_line_stops_or_is_skipped_and_counted(tmp_path: Path, line: bytes, reason: str) -> None:
    line = line.replace(b"\n", b"")
    path = write(tmp_path / "docs.jsonl", b"\n".join([GOOD, b"", line, GOOD.replace(b"good", b"last")]))
    documents = read_documents(path)
    assert next(documents).id == "good"
    with pytest.raises(MalformedDocumentError) as caught:
        next(documents)
    assert caught.value.line == 3
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert reason in str(caught.value)

    report = ReadReport()
    assert [document.id for document in read_documents(path, on_error="skip", report=report)] == ["good", "last"]
    assert (report.read, report.skipped) == (2, 1)
    assert reason in report.messages[0]


def test_remedies_are_named(tmp_path: Path) -> None:
    assert "--text NAME" in refusal(write(tmp_path / "a.jsonl", b'{"body": "x"}'))
    assert "--on-error skip" in refusal(write(tmp_path / "b.jsonl", b"{"))
    assert "iconv" in refusal(write(tmp_path / "c.jsonl", b"\xff"))
    assert "--id NAME" in refusal(write(tmp_path / "d.jsonl", GOOD), fields=Fields(id="doi"))


def test_a_report_keeps_the_first_messages_only(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.jsonl", b"{\n" * 1000 + GOOD)
    report = ReadReport()
    assert len(list(read_documents(path, on_error="skip", report=report))) == 1
    assert report.skipped == 1000
    assert [message.split(":")[0] for message in report.messages] == [f"{path}, line {n}" for n in range(1, 11)]


def test_a_source_where_all_is_skipped_is_no_error_but_counted(tmp_path: Path) -> None:
    report = ReadReport()
    assert list(read_documents(write(tmp_path / "bad.jsonl", b"{\n"), on_error="skip", report=report)) == []
    assert (report.read, report.skipped) == (0, 1)


@pytest.mark.parametrize("name", ["none.jsonl", "none", "none.parquet", "no/such/folder"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_missing_source_raises_at_once(tmp_path: Path, name: str, on_error: OnError) -> None:
    with pytest.raises(SourceError, match=re.escape(f"{tmp_path / name} does not exist. Check the path")):
        read_documents(tmp_path / name, on_error=on_error)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b""),
        ("a.jsonl", b"\n  \n"),
        ("a.json", b"[ ]"),
        ("a.csv", b"id,text\n"),
        ("a.csv", b"\n"),
        ("a.tsv", b""),
        ("a.txt", b""),
        ("a.jsonl.gz", gzip.compress(b"")),
        ("a.jsonl.zst", zstandard.ZstdCompressor().compress(b"\n")),
        ("a.parquet", b""),
    ],
)
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_an_empty_source(tmp_path: Path, name: str, data: bytes, on_error: OnError) -> None:
    path = write(tmp_path / name, data)
    assert refusal(path, on_error=on_error).startswith(f"{path} is empty: it holds no document. ")


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "stdin is empty" in refusal("-")


def test_a_folder_without_documents(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", b"id,text\n1,x\n")
    message = refusal(tmp_path)
    assert f"the folder {tmp_path} holds neither a corpus.jsonl nor any file in .txt, .md" in message
    assert "Name files of other formats one by one" in message


@pytest.mark.parametrize("name", ["a.docx", "a", "a.gz", "a.docx.gz", "a.parquet.gz", ".jsonl"])
def test_an_unknown_suffix(tmp_path: Path, name: str) -> None:
    message = refusal(write(tmp_path / name, GOOD))
    assert str(tmp_path / name) in message
    assert "is unknown. Known are .jsonl" in message


def test_an_unreadable_file(tmp_path: Path) -> None:
    """A file that opens, but whose bytes the system refuses to give."""
    path = tmp_path / "memory.txt"
    path.symlink_to("/proc/self/mem")
    if not path.exists():
        pytest.skip("needs /proc/self/mem, a file that exists and cannot be read from its start")
    write(tmp_path / "other.txt", b"x")
    assert refusal(tmp_path) == f"{path}: cannot be read: Input/output error. Check the file and its permissions"
    assert [document.id for document in read_documents(tmp_path, on_error="skip")] == ["other.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.jsonl", GOOD)
    path.chmod(0)
    assert f"{path} cannot be read: Permission denied" in refusal(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.txt", b"x")
    write(folder / "b.txt", b"x").chmod(0)
    report = ReadReport()
    assert [document.id for document in read_documents(folder, on_error="skip", report=report)] == ["a.txt"]
    assert "Permission denied" in report.messages[0]


def test_a_broken_link_in_a_folder_is_one_bad_document(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"x")
    (tmp_path / "b.txt").symlink_to("nowhere")
    assert refusal(tmp_path) == f"{tmp_path}/b.txt: does not exist. Check the path"
    report = ReadReport()
    assert [document.id for document in read_documents(tmp_path, on_error="skip", report=report)] == ["a.txt"]
    assert report.skipped == 1


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_compressed_data_cut_short_at_any_place(tmp_path: Path, suffix: str, on_error: OnError) -> None:
    lines = b"".join(b'{"id": %d, "text": "number %d"}\n' % (number, number * 7919) for number in range(200))
    whole = gzip.compress(lines) if suffix == ".gz" else zstandard.ZstdCompressor().compress(lines)
    for size in (4, 10, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path = write(tmp_path / f"cut.jsonl{suffix}", whole[:size])
        message = refusal(path, on_error=on_error)
        assert message.startswith(f"{path} is damaged or cut short: ")
        assert "Fetch it or compress it again" in message


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_data_with_a_flipped_bit(tmp_path: Path, suffix: str) -> None:
    lines = b"".join(b'{"id": %d, "text": "number %d"}\n' % (number, number * 7919) for number in range(200))
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    whole = bytearray(gzip.compress(lines) if suffix == ".gz" else compressor.compress(lines))
    whole[len(whole) // 2] ^= 4
    assert "is damaged or cut short" in refusal(write(tmp_path / f"flip.jsonl{suffix}", bytes(whole)), on_error="skip")


def test_data_that_is_not_compressed_as_its_name_says(tmp_path: Path) -> None:
    assert "is not gzip data, as its name says" in refusal(write(tmp_path / "a.jsonl.gz", GOOD))
    assert "is not zstd data, as its name says" in refusal(write(tmp_path / "a.csv.zst", b"id"))


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_DOCUMENT", 1 << 20)
    long = b'{"text": "' + b"x" * (3 << 20) + b'"}'
    path = write(tmp_path / "long.jsonl", GOOD + b"\n" + long + b"\n" + GOOD)
    assert f"{path}, line 2: the line is longer than 1 MiB" in refusal(path)
    assert len(list(read_documents(path, on_error="skip"))) == 2
    table = write(tmp_path / "long.csv", b"id,text\n" + b"x" * (3 << 20))
    assert "line 2: the line is longer than 1 MiB" in refusal(table, on_error="skip")


def test_a_text_file_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_folder_module, "MAX_DOCUMENT", 1 << 20)
    path = write(tmp_path / "long.txt", b"x" * ((1 << 20) + 1))
    assert refusal(path).startswith(f"{path}: the text is longer than 1 MiB")


def test_text_files_that_cannot_be_stored(tmp_path: Path) -> None:
    assert "line 3: invalid UTF-8: byte 0xff at position 2" in refusal(write(tmp_path / "a.txt", b"x\ny\nz\xff\n"))
    assert "the text holds a NUL character" in refusal(write(tmp_path / "b.txt", b"x\0"))
    folder = tmp_path / "named"
    folder.mkdir()
    write(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")), b"x")
    assert "the file's name holds the lone surrogate \\udce9" in refusal(folder)


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("id,text\n1,x\n2,y,z\n3,w\n", 3, "3 values where the header names 2"),
        ("id,text\n1,x\n2\n3,w\n", 3, "1 values where the header names 2"),
        ('id,text\n1,"two\nlines"\n2,"x"y\n3,w\n', 4, "malformed CSV: ',' expected after '\"'"),
        ('id,text\n1,"two\n\udce9"\n3,w\n', 3, "invalid UTF-8: byte 0xe9 at position 1"),
        ("id,text\n1,\n3,w\n", 2, "it has neither a title nor a text"),
        ("id,text\n1,a\0b\n3,w\n", 2, "holds a NUL character"),
        ("id,text\n1,a\rb\n3,w\n", 2, "malformed CSV: new-line character seen in unquoted field"),
    ],
)
def test_bad_rows_of_csv(tmp_path: Path, table: str, line: int, reason: str) -> None:
    path = write(tmp_path / "table.csv", table.encode("utf-8", "surrogateescape"))
    message = refusal(path)
    assert message.startswith(f"{path}, line {line}: ")
    assert reason in message
    report = ReadReport()
    assert list(read_documents(path, on_error="skip", report=report))[-1].id == "3"
    assert report.skipped == 1


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_tables_that_cannot_be_read_at_all(tmp_path: Path, on_error: OnError) -> None:
    def message(table: bytes, **options: Any) -> str:
        return refusal(write(tmp_path / "table.csv", table), on_error=on_error, **options)

    assert "line 3: a quote is opened that is not closed" in message(b'id,text\n1,x\n2,"open\n3,y\n')
    assert "line 1: invalid UTF-8: byte 0xe9" in message(b"id,t\xe9xt\n1,x\n")
    assert "two columns are called 'text'" in message(b"text,text\n1,x\n")
    found = message(b"id;body\n1;x\n")
    assert "it has no column 'text' (it has 'id;body')" in found
    assert "--text NAME" in found
    assert "it has no column 'doi' (it has 'id', 'text')" in message(b"id,text\n1,x\n", fields=Fields(id="doi"))
    assert "it has no column 'name'" in message(b"id,text\n1,x\n", fields=Fields(title="name"))


def test_fields_asked_for_by_name_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)
    assert "line 1: it has no field 'doi' (it has 'id', 'text')" in refusal(path, fields=Fields(id="doi"))
    assert "it has no field 'abstract' or 'body'" in refusal(path, fields=Fields(text="abstract|body"))
    empty = write(tmp_path / "b.jsonl", b'{"doi": "", "text": "x"}')
    assert "line 1: the id 'doi' is empty" in refusal(empty, fields=Fields(id="doi"))


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b'[\n{"text": "x"},\n{"text": }]', 3, "malformed JSON: Expecting value"),
        (b'[\n{"text": "x"}\n{"text": "y"}]', 3, "malformed JSON: ',' or ']' is expected, not '{'"),
        (b'[\n{"text": "x"},\n{"text": "y"}\n', 4, "malformed JSON: ',' or ']' is expected, not the end of the file"),
        (b'[\n{"text": "x"},\n{"text": "y', 3, "the file ends within the array"),
        (b'[\n{"text": "x"},\n]', 3, "malformed JSON: Expecting value"),
        (b'[{"text": "x"}]\n[]', 2, "'[' after the end of the array"),
        (b'[\n{"text": "x"},\n{"text": "caf\xe9"}]', 3, "invalid UTF-8: byte 0xe9"),
        (b'[{"text": "x", "n": ' + b"1" * 5000 + b"}]", 1, "malformed JSON: Exceeds the limit"),
        (b"[" * 200_000, 1, "malformed JSON: "),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_a_broken_array_stops_in_any_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, line: int, reason: str, piece: int
) -> None:
    monkeypatch.setattr(json_array_module, "_PIECE", piece)
    path = write(tmp_path / "array.json", data)
    message = refusal(path, on_error="skip")
    assert message.startswith(f"{path}, line {line}: ")
    assert reason in message


def test_items_of_an_array_are_skipped_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "array.json", b'[\n{"id": 1, "text": "x"},\n17,\n{"id": 3},\n{"id": 4, "text": "y"}\n]')
    report = ReadReport()
    assert [document.id for document in read_documents(path, on_error="skip", report=report)] == ["1", "4"]
    assert [message.split(": ", 1)[1] for message in report.messages] == [
        "a JSON object is expected, this is a number",
        "it has no field 'text' (it has 'id')",
    ]


def test_an_endless_object_in_an_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array_module, "MAX_DOCUMENT", 1 << 20)
    path = write(tmp_path / "array.json", b'[{"text": "' + b"x" * (4 << 20))
    assert "line 1: an object is longer than 1 MiB" in refusal(path)


def test_bad_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"

    def message(**columns: Any) -> str:
        parquet.write_table(pyarrow.table(columns), path)
        return refusal(path)

    assert "it has no column 'text' (it has 'body')" in message(body=["x"])
    assert "row 1: the field 'text' is a number" in message(text=pyarrow.array([1, 2]))
    assert f"{path}: row 2: the field 'score' holds nan" in message(text=["x", "y"], score=[1.0, float("nan")])
    assert "row 1: the field 'raw' holds a bytes, which JSON cannot hold" in message(text=["x"], raw=[b"\xff"])
    assert "row 2: it has neither a title nor a text" in message(text=["x", None])
    assert "is empty" in message(text=pyarrow.array([], pyarrow.string()))
    parquet.write_table(pyarrow.table([pyarrow.array(["x"])] * 2, names=["text", "text"]), path)
    assert "two columns are called 'text'" in refusal(path)
    parquet.write_table(pyarrow.table({"text": ["x" * 1000, "y"]}), path)
    write(path, path.read_bytes()[:-20])
    assert refusal(path).startswith(f"{path} is no Parquet file, or a damaged one")
    write(path, b"not parquet at all")
    assert refusal(path, on_error="skip").startswith(f"{path} is no Parquet file, or a damaged one")


def test_options_outside_their_values() -> None:
    with pytest.raises(InvalidSettingError, match=r"on_error is 'ignore'. Choose 'stop' or 'skip'"):
        read_documents("-", on_error="ignore")  # type: ignore[arg-type]
    for fields in ({"id": ""}, {"title": "a||b"}, {"text": "|"}):
        with pytest.raises(InvalidSettingError, match="must not be empty"):
            Fields(**fields)


def test_abandoned_readings_close_their_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(GOOD + b"\n" + GOOD))
    documents = read_documents(path)
    next(documents)
    del documents  # an open file would warn here, and warnings are errors


def test_every_refusal_is_ours(tmp_path: Path) -> None:
    """Random bytes under every suffix end in documents or in an error of lsr, never in anything else."""
    for seed in range(0, 60, 6):
        junk = bytes((seed * 7919 + place * place * 31) % 251 for place in range(seed * 5 + 1))
        for suffix in (".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet", ".jsonl.gz", ".csv.zst"):
            for start in (b"", b"[", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", json.dumps({"text": "x"}).encode()):
                try:
                    list(read_documents(write(tmp_path / f"junk{suffix}", start + junk)))
                except LsrError as error:
                    assert str(tmp_path) in str(error)  # noqa: PT017
