"""Many systems on many sets, one record each, taken up again where it was left.

Each (set, system) is done by itself: its record is written last and at once, so what is there is complete. A record is
kept when it was made by the same request (system, measures, judgements, version); indexes are kept too, and an
interrupted encoding goes on. Knows nothing of how systems answer or reports look.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lsr
from lsr.errors import EvaluationError, LsrError
from lsr.eval.collections.base import Collection, load_collection
from lsr.eval.collections.known import BEIR
from lsr.eval.evaluate import evaluate_system, with_indexing
from lsr.eval.measures import DEFAULT_MEASURES
from lsr.eval.records import Record, read_record, record_of, write_record
from lsr.eval.systems.base import Progress
from lsr.eval.systems.spec import SystemSpec, open_system


@dataclass(frozen=True, slots=True)
class Step:
    """One system on one set, and what came of it: `record`, or `failure`; `kept` where it was done before."""

    set: str
    system: str
    record: Record | None = None
    failure: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is to be evaluated.

    Parameters
    ----------
    sets : tuple of str
        Names below `data`, BEIR's names, ids of ir_datasets, or folders; see `expand_sets`.
    systems : tuple of SystemSpec
    out : Path
        Folder of the records: `<set>/<system>.json` and `.trec`.
    data : Path, optional
        Folder in which `beir/<set>` or `<set>` is looked for first.
    indexes : Path, optional
        Where indexes are kept; `<out>/indexes` by default.
    measures : tuple of str
    threads : int
        For throughput.
    cost : bool
        Take cost too.
    """

    sets: tuple[str, ...]
    systems: tuple[SystemSpec, ...]
    out: Path
    data: Path | None = None
    indexes: Path | None = None
    measures: tuple[str, ...] = DEFAULT_MEASURES
    threads: int = 1
    cost: bool = True

    def __post_init__(self) -> None:
        slugs = [system.slug for system in self.systems]
        for slug in slugs:
            if slugs.count(slug) > 1:
                raise EvaluationError(f"two systems would be kept as {slug!r}", remedy="Give one another label=…")


def run_campaign(
    campaign: Campaign,
    *,
    progress: Progress | None = None,
    started: Callable[[Step], None] | None = None,
    finished: Callable[[Step], None] | None = None,
    command: str | None = None,
) -> list[Step]:
    """Do what is not done yet; a system that fails on a set is reported and the others go on.

    Raises
    ------
    EvaluationError
        An unknown set, before anything is done.
    """
    sets = expand_sets(campaign.sets, campaign.data)
    steps = []
    for name, source in sets:
        collection: Collection | None = None
        for system in campaign.systems:
            step = Step(name, system.label)
            if started:
                started(step)
            try:
                if collection is None:
                    collection = load_collection(source)
                step = _step(campaign, name, collection, system, progress, command)
            except LsrError as error:
                step = Step(name, system.label, failure=str(error))
            steps.append(step)
            if finished:
                finished(step)
    return steps


def _step(
    campaign: Campaign,
    name: str,
    collection: Collection,
    system: SystemSpec,
    progress: Progress | None,
    command: str | None,
) -> Step:
    place = campaign.out / name / f"{system.slug}.json"
    key = _key(campaign, name, collection, system)
    if place.exists():
        try:
            before = read_record(place)
        except EvaluationError:  # damaged, or another version's: it is made again
            before = None
        if before is not None and before.key == key:
            return Step(name, system.label, before, kept=True)
    indexes = campaign.indexes or campaign.out / "indexes"
    with open_system(system, collection, set_name=name, directory=indexes, progress=progress) as (opened, report):
        result = evaluate_system(
            opened,
            collection,
            measures=campaign.measures,
            threads=campaign.threads,
            cost=campaign.cost,
            progress=progress,
            command=command,
        )
    result = with_indexing(result, report)
    record = record_of(result, collection, system.label, key=key)
    record = Record(**{**{field: getattr(record, field) for field in Record.__slots__}, "set": name})
    return Step(name, system.label, write_record(place, record, result.run))


def _key(campaign: Campaign, name: str, collection: Collection, system: SystemSpec) -> str:
    """Fingerprint of a request; `digest` covers judgements, queries and (for folders) documents."""
    request: dict[str, Any] = {
        "lsr": lsr.__version__,
        "system": system.to_dict(),
        "measures": campaign.measures,
        "collection": {part: digest for part, digest in collection.digest().items() if part != "documents"},
        "drop_self_matches": collection.drop_self_matches,
        "cost": campaign.cost,
    }
    place = Path(system.of(name))
    if place.exists():  # a run, an index, a checkpoint: it may be another by now
        request["changed"] = _changed(place)
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:32]


def _changed(path: Path) -> int:
    """When a file, or anything in a folder, was last written, in nanoseconds."""
    files = [path, *path.iterdir()] if path.is_dir() else [path]
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def expand_sets(names: Sequence[str], data: Path | None = None) -> list[tuple[str, str]]:
    """(short name, source) of every set; `all` is every set of BEIR that is in `data`, or all of BEIR without one.

    A set of parts (cqadupstack) becomes its parts. A folder below `data` goes before an id of ir_datasets.

    Raises
    ------
    EvaluationError
        An unknown name; the nearest are suggested.
    """
    found: dict[str, str] = {}
    for name in names:
        if name == "all":
            local = _folders(data)
            for each in local or [one for one in BEIR if BEIR[one].public]:
                found |= _sources(each, data)
        else:
            found |= _sources(name, data)
    if not found:
        raise EvaluationError("no set is named", remedy="Name some with --sets, or all")
    return list(found.items())


def _sources(name: str, data: Path | None) -> dict[str, str]:
    place = _place(name, data)
    known = BEIR.get(name)
    if known is not None and known.parts:
        return {
            f"{name}/{part}": str(place / part) if place is not None else f"{known.identifier}/{part}"
            for part in known.parts
        }
    if place is not None:
        return {name: str(place)}
    if os.sep in name or name.startswith("."):
        return {Path(name).name if Path(name).is_dir() else name: name}
    if known is None:
        near = difflib.get_close_matches(name.lower(), [*_folders(data), *BEIR], n=3)
        raise EvaluationError(
            f"there is no set {name!r}{f' in {data} nor in BEIR' if data else ' in BEIR'}",
            remedy=f"Did you mean {' or '.join(near)}?" if near else "See what is known and what is here: lsr datasets",
        )
    if not known.public:
        raise EvaluationError(
            f"the documents of {name} may not be distributed, no catalogue has them",
            remedy="Put them in BEIR's layout in a folder, and name the folder",
        )
    return {name: known.identifier}


def _place(name: str, data: Path | None) -> Path | None:
    for folder in [data / "beir" / name, data / name] if data is not None else []:
        if folder.is_dir():
            return folder
    return None


def _folders(data: Path | None) -> list[str]:
    """Names of the judged folders below `data`."""
    if data is None:
        return []
    roots = [root for root in (data / "beir", data) if root.is_dir()]
    return sorted(
        {p.name for root in roots for p in root.iterdir() if (p / "qrels").is_dir() or p.name == "cqadupstack"}
    )
