"""Bulk encoding: every document exactly once, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsr import Document
from lsr.bulk import encode_to_parts
from lsr.bulk.journal import PARTS, Journal
from lsr.encoders.registry import load_encoder
from lsr.errors import (
    CorruptionError,
    EncoderError,
    InvalidDocumentError,
    InvalidSettingError,
    SourceError,
    WriterLockedError,
)
from lsr.interchange import read_vectors, write_vectors
from lsr.vectors import SparseVectors

DOCUMENTS = [Document(str(number), f"the tide of day {number} and the whale {number % 7}") for number in range(57)]


def read_parts(folder: Path) -> tuple[list[str], SparseVectors]:
    ids: list[str] = []
    rows = []
    for line in (folder / PARTS).read_text().splitlines():
        for names, vectors in read_vectors(folder / json.loads(line)["file"]):
            ids += names
            rows.append(vectors)
    return ids, SparseVectors.concat(rows)


def encode(folder: Path, documents: list[Document] = DOCUMENTS, **options: object) -> object:
    chosen = {"encoder": "splade-tiny-doc", "settings": {"threads": 1}, "part_documents": 10, **options}
    return encode_to_parts(documents, folder, **chosen)  # type: ignore[arg-type]


def expected() -> SparseVectors:
    return load_encoder("splade-tiny-doc").encode_documents([document.content for document in DOCUMENTS])


def assert_whole(folder: Path) -> None:
    import numpy as np

    ids, vectors = read_parts(folder)
    assert ids == [document.id for document in DOCUMENTS]
    np.testing.assert_allclose(vectors.to_dense(), expected().to_dense(), atol=1e-5)
    names = {json.loads(line)["file"] for line in (folder / PARTS).read_text().splitlines()}
    assert {path.name for path in folder.glob("*.npz")} == names


def test_all_documents_once_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    report = encode(tmp_path / "out")
    assert (report.documents, report.encoded, report.parts, report.complete) == (57, 57, 6, True)  # type: ignore[attr-defined]
    assert_whole(tmp_path / "out")
    again = encode(tmp_path / "out")
    assert (again.documents, again.encoded, again.parts, again.complete) == (57, 0, 6, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 10, 20])
def test_the_last_part_is_known(tmp_path: Path, count: int) -> None:
    report = encode(tmp_path / "out", DOCUMENTS[:count])
    assert (report.documents, report.parts) == (count, count // 10)  # type: ignore[attr-defined]
    if count:
        assert encode(tmp_path / "out", DOCUMENTS[:count]).encoded == 0  # type: ignore[attr-defined]


def test_workers_give_the_same(tmp_path: Path) -> None:
    encode(tmp_path / "out", workers=2)
    assert_whole(tmp_path / "out")


@pytest.mark.parametrize("stop", [0, 1, 23, 45, 56])
def test_a_source_that_fails_midway_goes_on(tmp_path: Path, stop: int) -> None:
    def failing() -> object:
        for number, document in enumerate(DOCUMENTS):
            if number == stop:
                raise OSError("the network went away")
            yield document

    with pytest.raises(OSError, match="went away"):
        encode(tmp_path / "out", failing())  # type: ignore[arg-type]
    encode(tmp_path / "out")
    assert_whole(tmp_path / "out")


@pytest.mark.parametrize("moment", ["write_vectors", "add", "named", "torn"])
def test_a_crash_around_the_commit_of_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Before the file is written, after it but before its line, after the line, and with half a line."""
    calls = 0
    plain_write, plain_add = write_vectors, Journal.add

    def write(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if moment == "write_vectors" and calls == 3:
            raise KeyboardInterrupt
        return plain_write(*arguments, **options)  # type: ignore[arg-type]

    def add(self: Journal, record: dict[str, object]) -> None:
        if moment == "add" and len(self.parts) == 2:
            raise KeyboardInterrupt
        plain_add(self, record)
        if moment in ("named", "torn") and len(self.parts) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("lsr.bulk.encode.write_vectors", write)
    monkeypatch.setattr(Journal, "add", add)
    with pytest.raises(KeyboardInterrupt):
        encode(tmp_path / "out")
    monkeypatch.undo()
    if moment == "torn":
        path = tmp_path / "out" / PARTS
        path.write_bytes(path.read_bytes() + b'{"part": 3, "fil')
    encode(tmp_path / "out")
    assert_whole(tmp_path / "out")


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path) -> None:
    """SIGKILL after ever longer times, until a run ends by itself."""
    source = tmp_path / "corpus.jsonl"
    source.write_text("".join(document.to_json() + "\n" for document in DOCUMENTS))
    command = [sys.executable, "-m", "lsr.cli", "encode", str(source), "--to", str(tmp_path / "out")]
    command += ["--encoder", "splade-tiny-doc", "--part-documents", "10", "--encoder-setting", "threads=1"]
    out = tmp_path / "out"
    kills = 0
    for attempt in range(12):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        begun = len((out / PARTS).read_bytes().splitlines()) if (out / PARTS).exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and attempt < 6:
            parts = len((out / PARTS).read_bytes().splitlines()) if (out / PARTS).exists() else 0
            if parts > begun or (attempt == 0 and (out / "encode.json").exists()):
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        error = process.communicate(timeout=120)[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, error
    assert kills >= 2
    assert process.returncode == 0
    assert_whole(out)


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_source_that_changed_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "out", DOCUMENTS[:30])
    with pytest.raises(SourceError, match="has more documents than"):
        encode(tmp_path / "out")
    changed = [Document("0", "something else"), *DOCUMENTS[1:30]]
    with pytest.raises(SourceError, match=r"documents of part 0 .* are not those"):
        encode(tmp_path / "out", changed)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    encode(tmp_path / "out", DOCUMENTS[:10])
    with pytest.raises(InvalidSettingError, match="was begun with part_documents 10, not 20"):
        encode(tmp_path / "out", part_documents=20)
    with pytest.raises(InvalidSettingError, match="was begun with"):
        encode(tmp_path / "out", encoder="splade-tiny")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(InvalidSettingError, match="is no bulk encoding"):
        encode(tmp_path / "full")
    with pytest.raises(InvalidSettingError, match="part_documents is 0"):
        encode(tmp_path / "new", part_documents=0)
    with pytest.raises(EncoderError, match="terms of bm25 are an index's"):
        encode_to_parts(DOCUMENTS, tmp_path / "new", encoder="bm25")


def test_ids_are_unique_across_parts_and_runs(tmp_path: Path) -> None:
    twice = [*DOCUMENTS[:25], Document("3", "again")]
    with pytest.raises(InvalidDocumentError, match="'3' is given to two documents"):
        encode(tmp_path / "out", twice)
    with pytest.raises(InvalidDocumentError, match="'3' is given to two documents"):
        encode(tmp_path / "out", twice)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    from lsr.store.lock import WriterLock

    (tmp_path / "out").mkdir()
    lock = WriterLock(tmp_path / "out" / ".lock")
    with pytest.raises(WriterLockedError):
        encode(tmp_path / "out")
    lock.release()


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    encode(tmp_path / "out", DOCUMENTS[:10])
    (tmp_path / "out" / PARTS).write_text('{"part": 5}\n')
    with pytest.raises(CorruptionError, match=r"parts\.jsonl is damaged: not a journal of parts"):
        encode(tmp_path / "out")
