"""Snapshots as files: a generation of an index in one archive, made while it is written, restored whole or not at all.

An archive is an uncompressed tar: `snapshot.json` (format, generation, and name, size and xxh3-64 of every other
member), `store.sqlite`, `segments/*.seg`. Restoring takes exactly these members and nothing that an archive could
hold besides: no links, no devices, no paths of its own choosing.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import IO, Any

import xxhash

from lsr.engine.snapshot import Snapshot
from lsr.errors import IndexExistsError, SnapshotError
from lsr.index.files import flush_to_device, sync_folder
from lsr.store.durable import named_refusals
from lsr.store.schema import FILE_NAME, SEGMENT_FOLDER

FORMAT = 1
MANIFEST = "snapshot.json"
SUFFIX = ".lsr.tar"
#: The names that a member may have, besides the manifest's.
_MEMBER = re.compile(rf"{re.escape(FILE_NAME)}|{SEGMENT_FOLDER}/[0-9]{{8,12}}\.seg")
_MANIFEST_BYTES = 4 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What an archive says of itself. `created` is UTC, in ISO 8601; `bytes` those of the archive."""

    path: str
    created: str
    index: str
    generation: int
    documents: int
    encoder: str
    fingerprint: str
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def create_snapshot(index: str | PathLike[str], archive: str | PathLike[str]) -> SnapshotInfo:
    """Write the newest generation of an index to a new file; writers and searches go on meanwhile.

    Every segment is compared with its checksums before it is copied, every row of the store is not: `lsr check` does.

    Raises
    ------
    SnapshotError
        The file is there already.
    NotAnIndexError, CorruptionError, DiskFullError, AccessDeniedError
        Nothing is left behind then.
    """
    target = Path(archive)
    if target.exists():
        raise SnapshotError(f"{target} is there already", remedy="choose another name, or remove it first")
    if not target.parent.is_dir():
        raise SnapshotError(f"{target.parent} is no folder", remedy="make it first")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    folder = Path(index).resolve()
    with closing(Snapshot(folder)) as snapshot, named_refusals(target):
        settings = snapshot.settings()
        facts = {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "index": folder.name,
            "generation": snapshot.generation,
            "documents": snapshot.state.documents,
            "encoder": settings["encoder"],
            "fingerprint": settings["fingerprint"],
        }
        try:
            _write(temporary, snapshot, facts)
            os.link(temporary, target)  # unlike a rename, this refuses a name that somebody took meanwhile
            sync_folder(target.parent)
        except FileExistsError:
            raise SnapshotError(f"{target} is there already", remedy="choose another name") from None
        finally:
            temporary.unlink(missing_ok=True)
    return read_snapshot(target)


def _write(path: Path, snapshot: Snapshot, facts: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix=".lsr-", dir=path.parent) as scratch, open(path, "wb") as file:
        copy = Path(scratch) / FILE_NAME
        snapshot.copy_store(copy)
        members: dict[str, IO[bytes]] = {FILE_NAME: open(copy, "rb")}  # noqa: SIM115
        try:
            for row in snapshot.rows:
                members[f"{SEGMENT_FOLDER}/{row.name}"] = snapshot.open_file(row)
            sizes = {name: os.fstat(handle.fileno()).st_size for name, handle in members.items()}
            contents = {name: {"bytes": sizes[name], "xxh3": _digest(handle)} for name, handle in members.items()}
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                manifest = json.dumps({**facts, "members": contents}, indent=1).encode()
                _put(tar, MANIFEST, io.BytesIO(manifest), len(manifest))
                for name, handle in members.items():
                    handle.seek(0)
                    _put(tar, name, handle, sizes[name])
        finally:
            for handle in members.values():
                handle.close()
        file.flush()
        flush_to_device(file.fileno())


def _put(tar: tarfile.TarFile, name: str, handle: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    tar.addfile(entry, handle)


def _digest(handle: IO[bytes]) -> str:
    digest = xxhash.xxh3_64()
    while piece := handle.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def next_name(index: str | PathLike[str]) -> str:
    """What a snapshot of the newest generation may be called: the index's name and the generation."""
    folder = Path(index).resolve()
    with closing(Snapshot(folder)) as snapshot:
        return f"{folder.name}-{snapshot.generation:08d}"


def read_snapshot(archive: str | PathLike[str]) -> SnapshotInfo:
    """What an archive says of itself; its contents are not compared.

    Raises `SnapshotError` where it is no archive of an index.
    """
    path = Path(archive)
    with _opened(path) as (tar, manifest):
        del tar
        known = ("created", "index", "generation", "documents", "encoder", "fingerprint")
        return SnapshotInfo(str(path), **{name: manifest[name] for name in known}, bytes=path.stat().st_size)


def list_snapshots(folder: str | PathLike[str]) -> list[SnapshotInfo]:
    """The archives (`*.lsr.tar`) in a folder, the oldest first."""
    if not Path(folder).is_dir():
        raise SnapshotError(f"{folder} is no folder", remedy="name the folder that the archives lie in")
    found = [read_snapshot(path) for path in Path(folder).glob(f"*{SUFFIX}")]
    return sorted(found, key=lambda info: (info.created, info.generation, info.path))


def restore_snapshot(archive: str | PathLike[str], folder: str | PathLike[str]) -> SnapshotInfo:
    """Make an index of an archive, in a folder that is not there yet: whole, compared byte for byte, or not at all.

    Raises
    ------
    SnapshotError
        It is no archive of an index, it is damaged, or holds anything that does not belong into one.
    IndexExistsError, DiskFullError, AccessDeniedError
    """
    target = Path(folder)
    if os.path.lexists(target) and (not target.is_dir() or target.is_symlink() or os.listdir(target)):
        raise IndexExistsError(f"{target} is there already", remedy="choose a folder that does not exist yet")
    info = read_snapshot(archive)
    with named_refusals(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".lsr-", dir=target.parent))
        try:
            whole = scratch / "index"
            (whole / SEGMENT_FOLDER).mkdir(parents=True)
            _extract(Path(archive), whole)
            for place in (whole / SEGMENT_FOLDER, whole):
                sync_folder(place)
            os.rename(whole, target)  # onto nothing, or onto an empty folder
            sync_folder(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return info


def _extract(archive: Path, whole: Path) -> None:
    with _opened(archive) as (tar, manifest):
        expected = manifest["members"]
        for entry in tar:
            if entry.name == MANIFEST:
                continue
            if entry.name not in expected or not entry.isreg() or entry.size != expected[entry.name]["bytes"]:
                raise SnapshotError(f"{archive} holds {entry.name[:100]!r}, which is no part of an index")
            source = tar.extractfile(entry)
            assert source is not None
            digest = xxhash.xxh3_64()
            with open(whole / entry.name, "xb") as file:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                flush_to_device(file.fileno())
            if digest.hexdigest() != expected.pop(entry.name)["xxh3"]:
                raise SnapshotError(f"{archive} is damaged: the checksum of {entry.name} does not match")
        if expected:
            raise SnapshotError(f"{archive} is damaged: {', '.join(expected)} is missing")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    """The archive and its manifest, which must come first and must name nothing but parts of an index."""
    if not path.is_file():
        raise SnapshotError(f"{path} is not there", remedy="`lsr snapshot list FOLDER` shows the archives of a folder")
    try:
        with tarfile.open(path, "r:") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MANIFEST_BYTES:
                raise SnapshotError(f"{path} is no archive of an index")
            handle = tar.extractfile(first)
            assert handle is not None
            yield tar, _checked(path, json.loads(handle.read()))
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, FileExistsError) as error:
        raise SnapshotError(f"{path} is no archive of an index, or damaged: {error}") from error


def _checked(path: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest["format"] != FORMAT:
        raise SnapshotError(f"{path} has format {manifest['format']}, this version of lsr reads {FORMAT}")
    for name, member in manifest["members"].items():
        if not _MEMBER.fullmatch(name) or not isinstance(member["bytes"], int) or not isinstance(member["xxh3"], str):
            raise SnapshotError(f"{path} names {name[:100]!r}, which is no part of an index")
    if FILE_NAME not in manifest["members"]:
        raise SnapshotError(f"{path} holds no {FILE_NAME}")
    return manifest
