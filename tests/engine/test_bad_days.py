"""Damage, full disks, refused permissions: found before any answer, named, and nothing committed is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lsr import Document, Index
from lsr.engine.check import check_index
from lsr.errors import AccessDeniedError, CorruptionError, DiskFullError, FormatVersionError, NotAnIndexError
from lsr.store.schema import FILE_NAME


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add([Document(str(n), f"text number {n} about fish{n % 5}") for n in range(300)])
    return tmp_path / "index"


def segment_of(path: Path) -> Path:
    (segment,) = (path / "segments").iterdir()
    return segment


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_a_flipped_bit_of_a_segment_is_found_before_any_answer(path: Path, share: float) -> None:
    segment = segment_of(path)
    flip(segment, int(segment.stat().st_size * share))
    with Index.open(path) as index, pytest.raises(CorruptionError, match=segment.name):
        index.search("fish1")
    report = check_index(path)
    assert not report.sound
    assert segment.name in report.problems[0]


def test_a_truncated_segment_is_found_and_repaired(path: Path) -> None:
    with Index.open(path) as index:
        expected = index.search("fish1", k=300).hits
    segment = segment_of(path)
    os.truncate(segment, 1000)
    with Index.open(path) as index, pytest.raises(CorruptionError, match="lsr check DIR --repair"):
        index.search("fish1")
    report = check_index(path, repair=True)
    assert report.sound
    assert segment.name in report.repaired[0]
    with Index.open(path) as index:
        assert index.search("fish1", k=300).hits == expected


def test_a_missing_segment_is_repaired(path: Path) -> None:
    segment_of(path).unlink()
    with Index.open(path) as index, pytest.raises(CorruptionError, match="it is missing"):
        index.search("fish1")
    assert check_index(path, repair=True).sound


def test_a_changed_document_row_is_named(path: Path) -> None:
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("UPDATE documents SET body = CAST(replace(body, 'fish1', 'fish2') AS BLOB) WHERE id = '1'")
    db.close()
    with Index.open(path) as index, pytest.raises(CorruptionError, match="checksum of document '1'"):
        index.search("fish1")
    report = check_index(path)
    assert not report.sound
    assert "document '1'" in report.problems[0]


def test_a_changed_vector_row_is_named(path: Path) -> None:
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("UPDATE vectors SET pairs = zeroblob(length(pairs)) WHERE ordinal = 7")
    db.close()
    assert "vector row 7" in check_index(path).problems[0]
    with Index.open(path, writable=True) as index, pytest.raises(CorruptionError, match="vector row 7"):
        index.delete(["7"])


def test_a_changed_state_is_found(path: Path) -> None:
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("UPDATE state SET value = replace(value, '300', '301')")
    db.close()
    with Index.open(path) as index, pytest.raises(CorruptionError, match="checksum of its state"):
        len(index)


def test_another_format_is_named(path: Path) -> None:
    with sqlite3.connect(path / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(FormatVersionError, match="has format 99, this version of lsr reads and writes 1"):
        Index.open(path)


def test_a_foreign_sqlite_file_is_no_index(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("CREATE TABLE x (y)")
    db.close()
    with pytest.raises(NotAnIndexError, match="not of an index"):
        Index.open(tmp_path)


def test_a_file_that_is_not_sqlite_is_damaged(path: Path) -> None:
    (path / FILE_NAME).write_bytes(b"garbage" * 1000)
    with pytest.raises(CorruptionError, match="SQLite reports"):
        Index.open(path)


def test_leavings_of_a_crash_are_swept(path: Path) -> None:
    (path / "segments" / "00000077.seg").write_bytes(b"half")
    (path / "segments" / "00000078.seg.tmp").write_bytes(b"half")
    with Index.open(path, writable=True) as index:
        assert len(index) == 300
    assert len(list((path / "segments").iterdir())) == 1


def test_a_stale_lock_file_is_no_lock(path: Path) -> None:
    (path / "writer.lock").write_text('{"pid": 1, "host": "gone"}')
    with Index.open(path, writable=True) as index:
        index.add([Document("more", "text")])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)):
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def suppress_full() -> Iterator[list[DiskFullError]]:
    """Catch the error of a full disk, which comes at an unknown turn of a loop."""
    caught: list[DiskFullError] = []
    try:
        yield caught
    except DiskFullError as error:
        caught.append(error)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def test_a_full_disk_is_named_and_costs_nothing(small_disk: Path) -> None:
    path = small_disk / "index"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)

    def batch(number: int) -> list[Document]:
        return [Document(f"{number}-{n}", f"text {number} {n} " * 40) for n in range(50)]

    with Index.create(path, encoder="bm25") as index:
        committed = 0
        with suppress_full() as refusal:
            for number in range(1000):
                index.add(batch(number))
                committed += 50
        assert "no room is left" in str(refusal[0])
        assert committed
        assert len(index) == committed
        assert index.search("text 3").hits
        ballast.unlink()
        index.add(batch(1000))
    with Index.open(path) as index:
        assert len(index) == committed + 50
    assert check_index(path).sound


def test_what_may_not_be_written_is_named_and_can_still_be_read(path: Path, small_disk: Path) -> None:
    there = shutil.copytree(path, small_disk / "index")
    if _mount("-o", "remount,ro", str(small_disk)):
        pytest.skip("needs the right to remount a tmpfs read-only")
    with Index.open(there) as index:
        assert index.search("fish1").hits
    assert check_index(there).sound
    with pytest.raises(AccessDeniedError, match="may not be written"):
        Index.open(there, writable=True)
    with pytest.raises(AccessDeniedError, match="may not be written"):
        Index.create(small_disk / "new", encoder="bm25")


@pytest.mark.parametrize("left", [[], ["segments"], ["segments", "blank"], ["writer.lock", "segments", "empty"]])
def test_what_a_killed_creation_leaves_is_in_nobodys_way(tmp_path: Path, left: list[str]) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    if "segments" in left:
        (folder / "segments").mkdir()
    if "writer.lock" in left:
        (folder / "writer.lock").write_text("{}")
    if "empty" in left:
        (folder / FILE_NAME).touch()
    if "blank" in left:
        db = sqlite3.connect(folder / FILE_NAME)
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
    with Index.create(folder, encoder="bm25") as index:
        index.add([Document("1", "text")])
    assert check_index(folder).sound


def test_a_failed_creation_leaves_nothing(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * (3 * 1024 * 1024 - 40_000))
    with pytest.raises(DiskFullError):
        Index.create(small_disk / "new", encoder="bm25")
    assert not (small_disk / "new").exists()
