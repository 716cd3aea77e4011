"""Which judged collections are known, which are on this machine, and how the others come here.

Archives go where ir_datasets looks for them (`$IR_DATASETS_HOME`, by default ~/.ir_datasets), so that every tool that
uses it finds them, with or without a network. Addresses and checksums are ir_datasets' own.
"""

from __future__ import annotations

import difflib
import importlib.resources
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lsr.errors import EvaluationError, MissingExtraError
from lsr.eval.collections.known import AVERAGES, BEIR, KnownSet, short_name
from lsr.eval.download import Moved, download


@dataclass(frozen=True, slots=True)
class Dataset:
    """One known set: `here` is the folder or archive where it lies, empty where it does not; `averages` those that it
    counts in.
    """

    name: str
    identifier: str
    documents: int
    queries: int
    domain: str
    averages: tuple[str, ...]
    here: str
    download: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Archive:
    """Where a set's archive comes from, its checksum, and where ir_datasets wants it."""

    url: str
    md5: str
    bytes: int
    place: Path


def list_datasets(data: str | Path | None = None) -> list[Dataset]:
    """Every set of BEIR, then the other judged folders below `data`.

    Parameters
    ----------
    data : path, optional
        A folder with `<set>/` or `beir/<set>/` in BEIR's layout.
    """
    folders = _folders(Path(data)) if data is not None else {}
    found = [_known(one, folders) for one in BEIR.values()]
    for name, place in folders.items():
        if name not in BEIR:
            found.append(Dataset(name, "", 0, 0, "", (), str(place), "", "your own"))
    return found


def find_ids(text: str) -> list[str]:
    """Ids of ir_datasets that have the text in them."""
    from lsr.eval.collections.irds import known_ids

    return [name for name in known_ids() if text.lower() in name.lower()]


def get_dataset(name: str, *, mirror: str | None = None, progress: Moved | None = None) -> Path:
    """Bring a set's archive here, checked; the file.

    Parameters
    ----------
    name : str
        A set of BEIR, or an id of ir_datasets that begins with beir/.
    mirror : str, optional
        An address that has the same file names; the checksum stays what it is.
    progress : callable, optional
        Called as `progress(bytes, total or None)`.

    Raises
    ------
    EvaluationError
        An unknown set (the nearest are suggested), one that may not be distributed, a download that fails or has
        another checksum.
    MissingExtraError
        ir_datasets is not installed.
    """
    archive = archive_of(name)
    url = archive.url if mirror is None else f"{mirror.rstrip('/')}/{archive.url.rsplit('/', 1)[-1]}"
    return download(url, archive.place, md5=archive.md5, progress=progress)


def archive_of(name: str) -> Archive:
    """The archive of a set of BEIR; raises as `get_dataset`."""
    short = name.removeprefix("beir/")
    whole = short.split("/")[0]
    if whole not in BEIR:
        near = difflib.get_close_matches(whole.lower(), list(BEIR), n=3)
        remedy = f"Did you mean {' or '.join(near)}?" if near else "See what is known: lsr datasets"
        if name in _catalogue_ids():
            remedy = f"It comes by itself, checked, when it is first read: lsr eval --collection {name}"
        raise EvaluationError(f"there is no set of BEIR {name!r}", remedy=remedy)
    if not BEIR[whole].public:
        raise EvaluationError(
            f"the documents of {whole} may not be distributed, no archive has them",
            remedy="Ask their owner, put them in BEIR's layout in a folder, and name the folder",
        )
    key = "webis-touche2020/v2" if whole == "webis-touche2020" else whole
    entry = _downloads()["beir"][key]
    return Archive(
        entry["url"], entry["expected_md5"], int(entry.get("size_hint") or 0), home() / "beir" / entry["cache_path"]
    )


def is_here(collection: str) -> bool:
    """Whether a collection can be read without a network, as far as is known: a path that exists, a set of BEIR that
    ir_datasets has. An id of another family counts as here: reading it will tell.
    """
    if Path(collection).exists():
        return True
    known = BEIR.get(short_name(collection).split("/")[0])
    if known is not None and collection.startswith(("beir/", "ir_datasets:beir/")):
        return known.public and bool(_cached(known))
    return os.sep not in collection or collection.split("/")[0] in _families()


def home() -> Path:
    """ir_datasets' folder."""
    return Path(os.environ.get("IR_DATASETS_HOME") or Path.home() / ".ir_datasets").expanduser()


def _known(one: KnownSet, folders: dict[str, Path]) -> Dataset:
    here = str(folders[one.name]) if one.name in folders else ""
    source = "private"
    if one.public:
        source = _quietly(lambda: f"{archive_of(one.name).bytes / 1e6:,.0f} MB") or "needs ir-datasets"
        if not here:
            here = _cached(one)
    averages = tuple(name.split(" ")[0] for name, members in AVERAGES.items() if one.name in members)
    return Dataset(one.name, one.identifier, one.documents, one.queries, one.domain, averages, here, source, one.note)


def _cached(one: KnownSet) -> str:
    """Where ir_datasets has it, empty where it does not."""
    place = _quietly(lambda: str(archive_of(one.name).place))
    if place and Path(place).exists():
        return place
    folder = home() / "beir" / one.name
    return str(folder) if any(folder.glob("docs.pklz4*")) else ""


def _folders(data: Path) -> dict[str, Path]:
    if not data.is_dir():
        raise EvaluationError(
            f"there is no folder {data}", remedy="--data names a folder that holds judged collections"
        )
    roots = [root for root in (data, data / "beir") if root.is_dir()]
    places = sorted(place for root in roots for place in root.iterdir())
    return {
        place.name: place
        for place in places
        if (place / "qrels").is_dir()
        or (place.name in BEIR and any((place / p).is_dir() for p in BEIR[place.name].parts))
    }


def _quietly(read: Callable[[], str]) -> str:
    """What `read` gives; empty where ir_datasets is not installed: listing goes without it."""
    try:
        return read()
    except MissingExtraError:
        return ""


def _families() -> set[str]:
    try:
        return {name.split("/")[0] for name in _catalogue_ids()}
    except MissingExtraError:
        return set()


def _catalogue_ids() -> set[str]:
    from lsr.eval.collections.irds import known_ids

    return set(known_ids())


@cache
def _downloads() -> dict[str, Any]:
    """ir_datasets' own list of addresses and checksums."""
    try:
        place = importlib.resources.files("ir_datasets") / "etc" / "downloads.json"
    except ModuleNotFoundError:
        raise MissingExtraError("a collection from the net", "eval") from None
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found
