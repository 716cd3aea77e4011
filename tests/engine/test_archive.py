"""Snapshots as files: what was, comes back; anything else is refused and leaves nothing."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lsr import Document, Index, check_index
from lsr.engine.archive import (
    MANIFEST,
    create_snapshot,
    list_snapshots,
    next_name,
    read_snapshot,
    restore_snapshot,
)
from lsr.errors import CorruptionError, IndexExistsError, NotAnIndexError, SnapshotError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        for number in range(3):
            index.add([Document(f"{number}-{n}", f"fish{n} and river") for n in range(30)])
        index.delete(["0-1", "2-2"])
    return tmp_path / "index"


def answers(path: Path) -> Any:
    with Index.open(path) as index:
        return index.generation, index.search("fish1 river", k=100, explain=True).hits


def test_what_was_comes_back(path: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.lsr.tar"
    info = create_snapshot(path, archive)
    assert (info.index, info.documents, info.generation, info.encoder) == ("index", 88, 4, "bm25")
    assert info.bytes == archive.stat().st_size
    before = answers(path)
    with Index.open(path, writable=True) as index:
        index.delete(filter={})
        index.optimize()
    assert restore_snapshot(archive, tmp_path / "restored") == info
    assert answers(tmp_path / "restored") == before
    assert check_index(tmp_path / "restored").sound
    (tmp_path / "empty").mkdir()
    restore_snapshot(archive, tmp_path / "empty")
    with Index.open(tmp_path / "empty", writable=True) as index:
        index.add([Document("more", "fish")])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.lsr.tar", "empty", "index", "restored"]


def test_a_generation_can_be_archived_after_it_was_merged(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer goes on, merges and unlinks, while the snapshot is open."""
    from lsr.engine import archive as module

    written = module._write

    def write_late(*arguments: Any) -> None:
        with Index.open(path, writable=True) as index:
            index.delete(["1-1"])
            index.optimize()
        written(*arguments)

    before = answers(path)
    monkeypatch.setattr(module, "_write", write_late)
    create_snapshot(path, tmp_path / "a.lsr.tar")
    restore_snapshot(tmp_path / "a.lsr.tar", tmp_path / "restored")
    assert answers(tmp_path / "restored") == before


def test_archives_are_listed_oldest_first(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    assert list_snapshots(folder) == []
    assert next_name(path) == "index-00000004"
    first = create_snapshot(path, folder / "z.lsr.tar")
    with Index.open(path, writable=True) as index:
        index.delete(["1-1"])
    second = create_snapshot(path, folder / "a.lsr.tar")
    assert list_snapshots(folder) == [first, second]
    with pytest.raises(SnapshotError, match="is no folder"):
        list_snapshots(folder / "nothing")


def test_refusals_leave_nothing(path: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.lsr.tar"
    create_snapshot(path, archive)
    with pytest.raises(SnapshotError, match="is there already"):
        create_snapshot(path, archive)
    with pytest.raises(SnapshotError, match="is no folder"):
        create_snapshot(path, tmp_path / "no" / "a.lsr.tar")
    with pytest.raises(NotAnIndexError):
        create_snapshot(tmp_path / "nothing", tmp_path / "b.lsr.tar")
    with pytest.raises(IndexExistsError, match="is there already"):
        restore_snapshot(archive, path)
    with pytest.raises(SnapshotError, match="is not there"):
        restore_snapshot(tmp_path / "b.lsr.tar", tmp_path / "restored")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IndexExistsError, match="is there already"):
        restore_snapshot(archive, tmp_path / "link")
    for segment in (path / "segments").iterdir():
        data = bytearray(segment.read_bytes())
        data[-100] ^= 1
        segment.write_bytes(data)
    with pytest.raises(CorruptionError):
        create_snapshot(path, tmp_path / "b.lsr.tar")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.lsr.tar", "index", "link"]


def entry(name: str, data: bytes = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data) if fields.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else 0
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


Members = list[tuple[tarfile.TarInfo, bytes]]


def _named_too(name: str) -> Callable[[Members], Members]:
    """The manifest names the intruder as well."""

    def change(members: Members) -> Members:
        manifest = json.loads(members[0][1])
        manifest["members"][name] = {"bytes": 1, "xxh3": "0" * 16}
        return [entry(MANIFEST, json.dumps(manifest).encode()), *members[1:], entry(name)]

    return change


EVIL: dict[str, Callable[[Members], Members]] = {
    "a path outside": lambda members: [*members, entry("../evil")],
    "a path outside that is named": _named_too("../evil"),
    "an absolute path": lambda members: [*members, entry("/tmp/evil")],
    "an absolute path that is named": _named_too("/tmp/evil"),
    "a path within segments": _named_too("segments/../../evil"),
    "a link": lambda members: [*members, entry("segments/00000009.seg", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a link in place of the store": lambda members: [
        entry("store.sqlite", type=tarfile.SYMTYPE, linkname="/etc/passwd") if m[0].name == "store.sqlite" else m
        for m in members
    ],
    "a hard link": lambda members: [*members, entry("x", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "a device": lambda members: [*members, entry("x", type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a file too many": lambda members: [*members, entry("segments/00000099.seg")],
    "a file twice": lambda members: [*members, members[-1]],
    "a file missing": lambda members: members[:-1],
    "no manifest": lambda members: members[1:],
    "the manifest last": lambda members: [*members[1:], members[0]],
    "another format": lambda members: [
        entry(MANIFEST, members[0][1].replace(b'"format": 1', b'"format": 7')),
        *members[1:],
    ],
    "a manifest that is no JSON": lambda members: [entry(MANIFEST, b"{"), *members[1:]],
    "a manifest that is no object": lambda members: [entry(MANIFEST, b"[]"), *members[1:]],
    "a longer file": lambda members: [*members[:-1], entry(members[-1][0].name, members[-1][1] + b"x")],
    "a changed file": lambda members: [*members[:-1], entry(members[-1][0].name, b"x" + members[-1][1][1:])],
    "nothing": lambda members: [],
}


@pytest.mark.parametrize("evil", EVIL)
def test_what_does_not_belong_into_an_archive_is_refused(path: Path, tmp_path: Path, evil: str) -> None:
    archive = tmp_path / "a.lsr.tar"
    create_snapshot(path, archive)
    with tarfile.open(archive) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
    place = tmp_path / "there"
    place.mkdir()
    with tarfile.open(tmp_path / "evil.lsr.tar", "w") as tar:
        for info, data in EVIL[evil](members):
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    with pytest.raises(SnapshotError):
        restore_snapshot(tmp_path / "evil.lsr.tar", place / "restored")
    assert list(place.iterdir()) == []
    assert not (tmp_path / "evil").exists()
    assert not Path("/tmp/evil").exists()


def test_a_compressed_or_cut_archive_is_refused(path: Path, tmp_path: Path) -> None:
    create_snapshot(path, tmp_path / "a.lsr.tar")
    with tarfile.open(tmp_path / "b.lsr.tar", "w:gz") as tar:
        info, data = entry(MANIFEST)
        tar.addfile(info, io.BytesIO(data))
    with pytest.raises(SnapshotError, match="no archive of an index"):
        read_snapshot(tmp_path / "b.lsr.tar")
    os.truncate(tmp_path / "a.lsr.tar", 30_000)
    with pytest.raises(SnapshotError, match="damaged"):
        restore_snapshot(tmp_path / "a.lsr.tar", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
