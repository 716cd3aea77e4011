"""What a person names, as records: record files, TREC runs (with or without a record beside), folders of both.

A run without a record is measured here, against a collection or a file of judgements.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lsr.errors import EvaluationError
from lsr.eval.collections.base import Collection
from lsr.eval.comparison import relabelled
from lsr.eval.evaluate import evaluate_system
from lsr.eval.measures import DEFAULT_MEASURES, measure_run
from lsr.eval.records import Record, read_record, record_of
from lsr.eval.systems.served import RunSystem


def gather(
    names: Sequence[str], *, collection: Collection | None = None, measures: Sequence[str] | None = None
) -> list[Record]:
    """The records of runs.

    Parameters
    ----------
    names : sequence of str
        Each a path, or LABEL=path: a record (`.json`), a TREC run, or a folder, which is searched for records.
    collection : Collection, optional
        What runs without a record are measured against; what records are measured again against where `measures` asks
        for more than they hold.
    measures : sequence of str, optional
        By default those of the records; `DEFAULT_MEASURES` for runs.

    Raises
    ------
    EvaluationError
        Nothing there, not a run nor a record, or a run without anything to be measured against.
    """
    records: list[Record] = []
    for name in names:
        label, path = _split(name)
        found = _records(path) if path.is_dir() else [_one(path, collection, measures)]
        if measures:
            found = [_measured(record, collection, measures) for record in found]
        if label is not None and len({record.system for record in found}) > 1:
            raise EvaluationError(
                f"{path} holds several systems, one label {label!r} is given", remedy="Name the records one by one"
            )
        records += found if label is None else [relabelled(record, label) for record in found]
    return _told_apart(records)


def _split(name: str) -> tuple[str | None, Path]:
    """Label and path. A path that exists is taken whole, whatever it holds."""
    if "=" in name and not Path(name).exists():
        label, _, path = name.partition("=")
        if label and path:
            return label, Path(path)
    return None, Path(name)


def _records(folder: Path) -> list[Record]:
    files = sorted(path for path in folder.rglob("*.json") if not path.name.startswith("."))
    found = []
    for path in files:
        try:
            found.append(read_record(path))
        except EvaluationError:
            continue  # another JSON file in the folder
    if not found:
        raise EvaluationError(
            f"there is no record of an evaluation in {folder}",
            remedy="Records are written by lsr eval --run and eval/beir.py",
        )
    return sorted(found, key=lambda record: (record.path or folder).stat().st_mtime_ns)


def _one(path: Path, collection: Collection | None, measures: Sequence[str] | None) -> Record:
    if not path.exists():
        raise EvaluationError(f"there is no run {path}")
    if path.suffix == ".json":
        return read_record(path)
    beside = path.with_suffix(".json")
    if beside.is_file():
        record = read_record(beside)
        if collection is None or record.provenance.get("collection", {}).get("location") == collection.location:
            return record
    if collection is None:
        raise EvaluationError(
            f"the run {path} has no record beside it, so it is not known what it is to be measured against",
            remedy="Add --collection FOLDER|ID, or --qrels FILE",
        )
    result = evaluate_system(RunSystem(path), collection, measures=measures or DEFAULT_MEASURES)
    return record_of(result, collection, path.stem)


def _measured(record: Record, collection: Collection | None, measures: Sequence[str]) -> Record:
    """The record with these measures, from its run where it does not have them."""
    missing = [name for name in measures if name not in record.per_query]
    if not missing:
        return record
    run = record.run()
    if run is None or collection is None:
        raise EvaluationError(
            f"{record.system} on {record.set} was not measured by {missing[0]}",
            remedy="Add --collection FOLDER|ID, and keep the run beside the record",
        )
    scores = measure_run(run, collection.qrels, missing)
    return Record(
        **{
            **{name: getattr(record, name) for name in Record.__slots__},
            "measures": {**record.measures, **scores.mean},
            "per_query": {**record.per_query, **scores.per_query},
        }
    )


def _told_apart(records: Sequence[Record]) -> list[Record]:
    """Records of one system and set from different files get the differing part of their paths as a label."""
    seen: dict[tuple[str, str], int] = {}
    for record in records:
        seen[record.set, record.system] = seen.get((record.set, record.system), 0) + 1
    clashing = [record for record in records if seen[record.set, record.system] > 1 and record.path is not None]
    if not clashing:
        return list(records)
    common = os.path.commonpath([str((record.path or Path()).parent.resolve()) for record in clashing])
    told = []
    for record in records:
        if seen[record.set, record.system] > 1 and record.path is not None:
            place = os.path.relpath(record.path.resolve().with_suffix(""), common)
            record = relabelled(record, f"{record.system} ({place})")
        told.append(record)
    return told
