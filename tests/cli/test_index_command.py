"""`lsr index`: every kind of source, fields, reports, adding to what is there."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cli_help import PATIENCE_SECONDS, PLAIN, TEXTS, lsr, pets, process, write_jsonl

from lsr import Document, Index


def documents(path: Path) -> dict[str, Document]:
    with Index.open(path) as index, index.snapshot() as snapshot:
        ids = [id for ids, _ in index.vectors() for id in ids]
        found = snapshot.find(ids)
        return {id: snapshot.documents([found[id]])[0] for id in ids}


def texts(path: Path) -> dict[str, str]:
    return {id: document.text for id, document in documents(path).items()}


def test_a_first_run_and_a_second(tmp_path: Path) -> None:
    source, to = pets(tmp_path), tmp_path / "index"
    first = lsr("index", source, "--to", to)
    assert first.code == 0
    assert first.err == ""
    lines = first.out.splitlines()
    assert lines[0].startswith(f"{to}: 4 documents (4 written")
    assert lines[1] == f'Search it: lsr search {to} "…"'
    with Index.open(to) as index:
        assert index.encoder.name == "lsr-mini-en"
        generation = index.generation
    again = lsr("index", source, "--to", to)
    assert again.out.splitlines()[0] == f"{to}: 4 documents (0 written, 4 unchanged)"
    with Index.open(to) as index:
        assert index.generation == generation


def test_the_report_as_json(tmp_path: Path) -> None:
    to = tmp_path / "index"
    lsr("index", pets(tmp_path), "--to", to, "--encoder", "bm25")
    rows = [
        {"_id": "cat", "text": "new"},
        {"_id": "dog", "title": "Dog", "text": TEXTS["dog"]},
        {"_id": "owl", "text": "x"},
    ]
    outcome = lsr("index", write_jsonl(tmp_path / "more.jsonl", rows), "--to", to, "--json")
    assert outcome.err == ""
    report = outcome.json
    assert report.pop("seconds") >= 0
    assert report.pop("generation") > 1
    assert report == {
        "index": str(to),
        "documents": 5,
        "read": 3,
        "written": 2,
        "replaced": 1,
        "unchanged": 1,
        "duplicates": 0,
        "skipped": 0,
    }
    assert texts(to)["cat"] == "new"


def test_the_last_of_one_id_counts_and_is_told(tmp_path: Path) -> None:
    """Within a batch, and across sources and so across batches."""
    rows = [{"_id": str(n % 10), "text": f"first {n}"} for n in range(15)]
    one = write_jsonl(tmp_path / "one.jsonl", rows)
    many = write_jsonl(tmp_path / "many.jsonl", [{"_id": f"m{n}", "text": "filler"} for n in range(300)])
    two = write_jsonl(tmp_path / "two.jsonl", [{"_id": "3", "text": "last"}])
    to = tmp_path / "index"
    outcome = lsr("index", one, many, two, "--to", to, "--encoder", "bm25")
    assert outcome.code == 0
    assert "6 documents came with an id that had come before: the last of each id counts" in outcome.out
    assert f"{to}: 310 documents" in outcome.out
    found = texts(to)
    assert (found["3"], found["4"], found["9"]) == ("last", "first 14", "first 9")
    report = lsr("index", one, "--to", tmp_path / "other", "--encoder", "bm25", "--json").json
    assert (report["documents"], report["duplicates"]) == (10, 5)


def test_named_fields(tmp_path: Path) -> None:
    rows = [{"key": 7, "headline": "Owls", "body": "hunt at night", "_id": "x", "year": 1999}]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    to = tmp_path / "index"
    options = ("--id", "key", "--title", "headline", "--text", "body|text", "--encoder", "bm25")
    assert lsr("index", source, "--to", to, *options).code == 0
    expected = Document("7", "hunt at night", "Owls", {"_id": "x", "year": 1999})
    assert documents(to) == {"7": expected}


def test_gzip_csv_markdown_and_several_sources_in_one_run(tmp_path: Path) -> None:
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"_id": "gz", "text": "packed"}\n'))
    table = tmp_path / "b.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "title", "text"], ["csv", "A, B", 'said "so"\nand left']])
    notes = tmp_path / "notes"
    (notes / "deep").mkdir(parents=True)
    (notes / "one.md").write_text("# Heading\n\nA note about owls.\n")
    (notes / "deep" / "two.txt").write_text("Plain text.\n")
    to = tmp_path / "index"
    outcome = lsr("index", packed, table, notes, "--to", to, "--encoder", "bm25", "--json")
    assert outcome.json["documents"] == outcome.json["written"] == 4
    assert documents(to) == {
        "gz": Document("gz", "packed"),
        "csv": Document("csv", 'said "so"\nand left', "A, B"),
        "deep/two.txt": Document("deep/two.txt", "Plain text.", "two"),
        "one.md": Document("one.md", "A note about owls.", "Heading"),
    }


def test_a_beir_folder(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "corpus.jsonl", [{"_id": "1", "title": "", "text": "alone", "metadata": {}}])
    write_jsonl(tmp_path / "queries.jsonl", [{"_id": "q", "text": "not a document"}])
    assert lsr("index", tmp_path, "--to", tmp_path / "index", "--encoder", "bm25").code == 0
    assert texts(tmp_path / "index") == {"1": "alone"}


def test_standard_input(tmp_path: Path) -> None:
    to = tmp_path / "index"
    done = process("index", "-", "--to", to, "--encoder", "bm25", "--json", input=pets(tmp_path).read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["documents"] == 4
    assert texts(to) == TEXTS


def test_settings_are_kept_and_the_same_command_continues(tmp_path: Path) -> None:
    """Also with a setting that no index keeps, as it only says how the encoder runs."""
    source, to = pets(tmp_path), tmp_path / "index"
    settings = ("--encoder-setting", "max_length=64", "--encoder-setting", "threads=1")
    options = ("--encoder", "splade-tiny-doc", "--query-idf", "model", *settings)
    assert lsr("index", source, "--to", to, *options).code == 0
    again = lsr("index", source, "--to", to, *options, "--json")
    assert again.json["unchanged"] == 4
    info = lsr("info", to, "--json").json
    assert info["encoder_settings"] == {"max_length": 64}
    assert info["query_idf"] == "model"


def test_optimizing_can_be_left_out(tmp_path: Path) -> None:
    to = tmp_path / "index"
    lsr("index", pets(tmp_path), "--to", to, "--encoder", "bm25")
    more = write_jsonl(tmp_path / "more.jsonl", [{"_id": "cat", "text": TEXTS["cat"].replace("windowsill", "sofa")}])
    assert lsr("index", more, "--to", to, "--no-optimize").code == 0
    assert sum(segment["deleted"] for segment in lsr("info", to, "--json").json["segments"]) == 1
    assert lsr("index", more, "--to", to).code == 0
    assert [segment["documents"] for segment in lsr("info", to, "--json").json["segments"]] == [4]


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    to = tmp_path / "my [bold]index[/] :dog: #1?"
    outcome = lsr("index", pets(tmp_path), "--to", to, "--encoder", "bm25")
    assert outcome.out.splitlines() == [f"{to}: 4 documents (4 written)", f"Search it: lsr search '{to}' \"…\""]
    assert str(to) in lsr("info", to).out
    assert lsr("check", to).out == f"{to}: sound, 4 documents in 1 segment\n"


@pytest.mark.parametrize("known", [True, False])
def test_a_terminal_is_shown_progress(tmp_path: Path, known: bool) -> None:
    """On standard error only, and gone at the end; standard output stays what it is."""
    source = write_jsonl(tmp_path / "many.jsonl", [{"_id": str(n), "text": f"word{n}"} for n in range(2000)])
    screen, terminal = pty.openpty()
    arguments = ["index", str(source) if known else "-", "--to", str(tmp_path / "index"), "--encoder", "bm25"]
    with source.open("rb") as stdin:
        running = subprocess.Popen(
            [sys.executable, "-m", "lsr.cli", *arguments, "--json"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=PLAIN,
        )
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(screen, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(screen)
    assert running.stdout is not None
    report = json.loads(running.stdout.read())
    running.stdout.close()
    assert running.wait(PATIENCE_SECONDS) == 0
    assert report["documents"] == 2000
    assert "indexing" in shown.decode()
    assert "2,000 documents" in shown.decode()
    assert ("100%" in shown.decode()) is known
    assert shown.decode().endswith("\x1b[2K")
