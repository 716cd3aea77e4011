"""Systems by what a person writes: `bm25,k1=1.2`, `splade-tiny-doc,query_idf=min`, `index:my-index`, `run:their.trec`.

Knows the grammar and which kind opens what. `{set}` in an index or run stands for the name of the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsr.encoders.settings import Setting, parse_setting
from lsr.errors import InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.indexing import IndexingReport, indexed
from lsr.eval.systems.base import Progress, System
from lsr.eval.systems.engine import IndexSystem, Scoring
from lsr.store.schema import FILE_NAME as STORE_FILE

#: Engines of others, by the name with which a system begins.
PEERS = ("bm25s", "anserini-bm25", "anserini-impact")

_HELP = "Write NAME[,option=value…], NAME being an encoder, index:DIR, run:FILE, " + ", ".join(PEERS[:-1])


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """One system, not opened yet.

    Parameters
    ----------
    kind : str
        `encoder`, `index`, `run`, or one of `PEERS`.
    name : str
        Encoder, directory or file; `{set}` in the latter two is the collection's name.
    label : str
        How tables call it.
    settings : dict
        Of the encoder or the peer.
    query_idf : str or None
    scoring : {"impacts", "float"}
    fields : {"flat", "title+text"}
        `flat`: title and text as one text. `title+text`: an index of each, scores added (multifield).
    search : dict
        Options of the search, `search.NAME=VALUE`.
    """

    kind: str
    name: str
    label: str
    settings: dict[str, Setting] = field(default_factory=dict)
    query_idf: str | None = None
    scoring: Scoring = "impacts"
    fields: str = "flat"
    search: dict[str, Setting] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything that makes a difference to a figure, as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "settings": self.settings,
            "query_idf": self.query_idf,
            "scoring": self.scoring,
            "fields": self.fields,
            "search": self.search,
        }

    def of(self, collection: str) -> str:
        """`name` for one collection."""
        return self.name.replace("{set}", collection)

    @property
    def slug(self) -> str:
        """The label as a file name."""
        return re.sub(r"[^A-Za-z0-9._=+-]+", "_", self.label).strip("._") or "system"


def parse_system(text: str) -> SystemSpec:
    """The system that a text names.

    Raises
    ------
    InvalidSettingError
        Nothing is named, an option is not NAME=VALUE, is illegal, or means nothing for this kind.
    """
    name, *options = (part.strip() for part in text.split(","))
    if not name:
        raise InvalidSettingError(f"the system {text!r} has no name", remedy=_HELP)
    found = dict(map(parse_setting, options))
    label = str(found.pop("label", text))
    search = {key.removeprefix("search."): found.pop(key) for key in list(found) if key.startswith("search.")}
    kind, _, rest = name.partition(":")
    if name in PEERS:
        if search:
            raise InvalidSettingError(f"{text}: search options are for our own engine", remedy="Leave them out")
        return SystemSpec(name, name, label, settings=found)
    query_idf, scoring = found.pop("query_idf", None), found.pop("scoring", "impacts")
    fields = found.pop("fields", "flat")
    if scoring not in ("impacts", "float"):
        raise InvalidSettingError(f"{text}: scoring is {scoring!r}", remedy="It is impacts or float")
    if fields not in ("flat", "title+text"):
        raise InvalidSettingError(f"{text}: fields is {fields!r}", remedy="It is flat or title+text")
    spec = SystemSpec(
        kind if kind in ("index", "run") and rest else "encoder",
        rest if kind in ("index", "run") and rest else name,
        label,
        found,
        None if query_idf is None else str(query_idf),
        "float" if scoring == "float" else "impacts",
        str(fields),
        search,
    )
    if spec.kind != "encoder" and (odd := [*spec.settings, *(["query_idf"] if query_idf else [])]):
        raise InvalidSettingError(f"{text}: {odd[0]!r} means nothing for {kind}:…", remedy="Leave it out")
    if spec.kind != "encoder" and spec.fields != "flat":
        raise InvalidSettingError(f"{text}: fields means nothing for {kind}:…", remedy="Leave it out")
    if spec.kind == "run" and (spec.search or spec.scoring != "impacts"):
        raise InvalidSettingError(f"{text}: a run that was made elsewhere is not searched", remedy="Leave options out")
    if spec.fields != "flat" and spec.scoring == "float":
        raise InvalidSettingError(f"{text}: two fields are searched as impacts only", remedy="Leave scoring out")
    return spec


def system_named(text: str) -> SystemSpec:
    """As `parse_system`, and a path that exists is the index or run that is there."""
    place = Path(text)
    if place.is_file():
        return SystemSpec("run", text, text)
    if place.is_dir() and (place / STORE_FILE).exists():
        return SystemSpec("index", text, text)
    return parse_system(text)


@contextmanager
def open_system(
    spec: SystemSpec,
    collection: Collection,
    *,
    set_name: str | None = None,
    directory: str | Path | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[System, IndexingReport]]:
    """The system over a collection's documents, indexed where that must be; closed at the end.

    Parameters
    ----------
    spec : SystemSpec
    collection : Collection
    set_name : str, optional
        What `{set}` stands for; the collection's own name by default.
    directory : str or Path, optional
        Keep indexes here, and find them again; temporary otherwise.
    progress : callable, optional
        Called as `progress("index", done, total)`.

    Raises what the encoder, the engine or the peer raises.
    """
    name = spec.of(set_name or collection.name)
    nothing = IndexingReport({}, ())
    if spec.kind == "run":
        from lsr.eval.systems.served import RunSystem

        yield RunSystem(name), nothing
    elif spec.kind == "index":
        from lsr.engine.index import Index

        with Index.open(name) as index:
            yield IndexSystem(index, scoring=spec.scoring, options=spec.search), nothing
    elif spec.kind == "bm25s":
        from lsr.eval.systems.bm25s import bm25s_system

        yield bm25s_system(collection, spec.settings, progress)
    elif spec.kind.startswith("anserini"):
        from lsr.eval.systems.anserini import anserini_system

        with anserini_system(spec, collection, directory, progress) as (system, report):
            yield system, report
    elif spec.fields == "title+text":
        from lsr.eval.systems.fields import two_fields

        with two_fields(spec, collection, directory, progress) as (system, report):
            yield system, report
    else:
        with indexed(spec.name, collection, spec.settings, spec.query_idf, directory, progress) as (index, report):
            yield IndexSystem(index, scoring=spec.scoring, options=spec.search), report
