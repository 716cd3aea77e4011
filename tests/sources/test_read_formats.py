"""Every format, plain and compressed, gives the documents that were written."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.documents import Document, Json
from lsr.errors import MissingExtraError
from lsr.sources import Fields, ReadReport, Source, read_documents
from lsr.sources import json_array as json_array_module

Compress = Callable[[bytes], bytes]
COMPRESSIONS: dict[str, Compress] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}

STRINGS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.builds(
    Document,
    id=STRINGS.filter(bool),
    text=STRINGS,
    title=STRINGS.map(lambda title: f"t{title}"),
    metadata=st.dictionaries(STRINGS, VALUES, max_size=3),
)


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=5))
@settings(max_examples=40)
def test_json_lines_come_back_equal(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, documents: list[Document]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"round.jsonl{suffix}"
    path.write_bytes(COMPRESSIONS[suffix]("".join(f"{document.to_json()}\n" for document in documents).encode()))
    source = Source(path)
    assert list(source) == documents
    assert source.position == source.size == path.stat().st_size


@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=5),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
    piece=st.sampled_from([1, 3, 50, 1 << 16]),
)
def test_a_json_array_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[Document],
    indent: int | None,
    ascii_only: bool,
    piece: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    records = [json.loads(document.to_json()) for document in documents]
    path.write_text(f" \n{json.dumps(records, indent=indent, ensure_ascii=ascii_only)}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array_module, "_PIECE", piece)
        assert list(read_documents(path)) == documents


ROWS = st.lists(st.tuples(STRINGS.filter(bool), STRINGS, STRINGS.map(lambda text: f"x{text}"), STRINGS), min_size=1)


@given(rows=ROWS)
def test_csv_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("id", "title", "text", "extra"), *rows])
    expected = [Document(id=row[0], title=row[1], text=row[2], metadata={"extra": row[3]}) for row in rows]
    assert list(read_documents(path)) == expected


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "passages.tsv"
    path.write_text('id\ttext\n1\t"To be" or not\n2\tan "open quote\n\n3\t"\n', encoding="utf-8")
    assert [document.text for document in read_documents(path)] == ['"To be" or not', 'an "open quote', '"']


def test_csv_knows_long_values_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    limit = csv.field_size_limit()
    long = "word " * 100_000
    path.write_bytes(f'\ufeffid,text\r\n1,"{long}"\r\n2,"two\r\nlines"\r\n3,end'.encode())
    assert [document.text for document in read_documents(path)] == [long, "two\r\nlines", "end"]
    assert csv.field_size_limit() == limit


def test_a_column_without_a_name_is_called_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "pandas.csv"
    path.write_text(",text\n0,hello\n", encoding="utf-8")
    assert list(read_documents(path)) == [Document(id=f"{path}:2", text="hello", metadata={"column 1": "0"})]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "A.JSONL"])
def test_json_lines_by_every_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'\xef\xbb\xbf\n  \n{"id": 7, "text": "seven"}\r\n{"id": "8", "text": "eight"}')
    assert [document.id for document in read_documents(path)] == ["7", "8"]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_beir_folder(tmp_path: Path, suffix: str) -> None:
    lines = (
        b'{"_id": "d1", "title": "T", "text": "x", "metadata": {"url": "u"}}\n{"_id": "d2", "title": "", "text": "y"}'
    )
    (tmp_path / f"corpus.jsonl{suffix}").write_bytes(COMPRESSIONS[suffix](lines))
    (tmp_path / "queries.jsonl").write_text("not read")
    (tmp_path / "README.md").write_text("not read either")
    source = Source(tmp_path)
    assert list(source) == [
        Document(id="d1", title="T", text="x", metadata={"url": "u"}),
        Document(id="d2", title="", text="y"),
    ]
    assert source.position == source.size == (tmp_path / f"corpus.jsonl{suffix}").stat().st_size


def test_compression_is_told_by_content_and_frames_are_joined(tmp_path: Path) -> None:
    lines = [b'{"id": %d, "text": "t"}\n' % number for number in range(4)]
    for suffix in (".gz", ".zst"):
        path = tmp_path / f"joined.jsonl{suffix}"
        path.write_bytes(b"".join(map(COMPRESSIONS[suffix], lines)))
        assert [document.id for document in read_documents(path)] == ["0", "1", "2", "3"]
        hidden = tmp_path / f"hidden{suffix[1:]}.jsonl"
        hidden.write_bytes(path.read_bytes())
        assert len(list(read_documents(hidden))) == 4


def test_a_folder_of_text_files(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.md").write_text("# no")
    (tmp_path / "notes.txt").write_text("just text")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "sub" / "guide.md").write_text("\ufeffIntro.\n\n```sh\n# a comment\n```\n## The Guide ##\nbody\n")
    (tmp_path / "sub" / "deep" / "old.txt.gz").write_bytes(gzip.compress("café".encode()))
    (tmp_path / "sub" / "empty.md").write_text("")
    source = Source(tmp_path)
    assert list(source) == [
        Document(id="notes.txt", title="notes", text="just text"),
        Document(id="sub/deep/old.txt.gz", title="old", text="café"),
        Document(id="sub/empty.md", title="empty", text=""),
        Document(id="sub/guide.md", title="The Guide", text="Intro.\n\n```sh\n# a comment\n```\nbody"),
    ]
    assert source.position == source.size
    assert list(source) == list(source)
    assert next(read_documents(tmp_path / "sub" / "guide.md")).id == "guide.md"


@pytest.mark.parametrize(
    ("markdown", "title", "text"),
    [
        ("# One\ntext", "One", "text"),
        ("---\ntitle: 'Front'\ntags: x\n---\n# One\n", "Front", "# One"),
        ("---\ntags: x\n---\n# One\ntext", "One", "text"),
        ("Under\n=====\ntext", "Under", "text"),
        ("Under\n---\ntext", "Under", "text"),
        ("- a list\n---\n", "file", "- a list\n---"),
        ("no heading #1\n#hash", "file", "no heading #1\n#hash"),
        ("~~~\n# code\n```\n~~~\n# Real", "Real", "~~~\n# code\n```\n~~~"),
        ("#\n# \ntext", "file", "#\n# \ntext"),
        ("---\n", "file", "---"),
    ],
)
def test_titles_of_markdown(tmp_path: Path, markdown: str, title: str, text: str) -> None:
    path = tmp_path / "file.md"
    path.write_text(markdown, encoding="utf-8")
    assert list(read_documents(path)) == [Document(id="file.md", title=title, text=text)]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    table = pyarrow.table(
        {
            "id": pyarrow.array([1, None, 3], pyarrow.int64()),
            "text": pyarrow.array([b"one", b"two", "drei ü".encode()]),
            "when": pyarrow.array([1, 2_000_000_001, None], pyarrow.timestamp("ns", "UTC")),
            "day": [datetime.date(2024, 5, 1)] * 3,
            "price": pyarrow.array([decimal.Decimal("1.50")] * 3),
            "tags": [["a"], [], None],
            "kind": pyarrow.array(["x", "y", "x"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, path)
    source = Source(path)
    documents = list(source)
    assert [document.id for document in documents] == ["1", f"{path}:2", "3"]
    assert documents[2].text == "drei ü"
    assert documents[0].metadata == {
        "when": "1970-01-01T00:00:00+00:00",
        "day": "2024-05-01",
        "price": "1.50",
        "tags": ["a"],
        "kind": "x",
    }
    assert source.position == source.size
    assert all(Document.from_json(document.to_json()) == document for document in documents)


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"reading Parquet.*lsr-engine\[parquet\]"):
        list(read_documents(path))


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    data = COMPRESSIONS[suffix](b'{"id": "a", "text": "x"}\n{"text": "y"}\n')
    stdin = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", stdin)
    source = Source("-")
    assert source.size is None
    assert [document.id for document in source] == ["a", "stdin:2"]
    assert source.position == len(data)
    assert not stdin.buffer.closed


def test_a_pipe_is_read_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b'{"id": "a", "text": "x"}\n'),))
    writer.start()
    source = Source(path)
    assert source.size is None
    assert list(source) == [Document(id="a", text="x")]
    writer.join()


def test_fields_are_mapped_and_the_rest_is_metadata(tmp_path: Path) -> None:
    path = tmp_path / "papers.jsonl"
    record = {"doi": "10/1", "name": "T", "abstract": "", "body": "long", "year": 1999, "id": "other", "a|b": None}
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    fields = Fields(id="doi", title="name", text="abstract|body")
    assert list(read_documents(path, fields=fields)) == [
        Document(id="10/1", title="T", text="long", metadata={"abstract": "", "year": 1999, "id": "other", "a|b": None})
    ]


def test_ids_that_are_missing_are_the_same_at_every_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text('{"text": "x"}\n\n{"text": "y", "id": null}\n{"_id": "", "id": "z", "text": "z"}\n')
    Path("a.csv").write_text('id,text\n,"two\nlines"\n,x\n')
    assert [document.id for document in read_documents("a.jsonl")] == ["a.jsonl:1", "a.jsonl:3", "z"]
    assert [document.id for document in read_documents("./a.jsonl")] == ["a.jsonl:1", "a.jsonl:3", "z"]
    assert [document.id for document in read_documents(Path("a.csv"))] == ["a.csv:2", "a.csv:4"]


def test_progress_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl.gz"
    lines = "".join(json.dumps({"id": number, "text": os.urandom(40).hex()}) + "\n" for number in range(20_000))
    path.write_bytes(gzip.compress(lines.encode()))
    report = ReadReport()
    source = Source(path, report=report)
    assert (source.position, source.size) == (0, path.stat().st_size)
    positions = [source.position for _ in source]
    assert positions == sorted(positions)
    assert len(set(positions)) > 5
    assert positions[-1] == source.size
    assert (report.read, report.skipped, report.messages) == (20_000, 0, [])
    reading = iter(source)
    next(reading)
    assert 0 < source.position < path.stat().st_size
