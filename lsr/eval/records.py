"""What is kept of one evaluation: figures by query, cost and provenance as JSON, beside the run as a TREC file.

`write_record("out/bm25.json", …)` writes `out/bm25.json` and `out/bm25.trec`; either name finds both. Knows nothing of
how runs are made or compared.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsr.errors import EvaluationError
from lsr.eval.collections.base import Collection
from lsr.eval.collections.known import short_name
from lsr.eval.cost import Cost
from lsr.eval.evaluate import EvaluationResult
from lsr.eval.runs import Run, read_run, write_run

#: Version of the JSON.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One system on one set.

    Parameters
    ----------
    system : str
        How tables call the system.
    set : str
        Short name of the collection: scifact, cqadupstack/android.
    measures : dict
        Means over all judged queries.
    per_query : dict
        Measure -> query -> value.
    cost : Cost or None
    texts : dict
        Query -> its text, as far as known.
    provenance : dict
    warnings : tuple of str
    key : str
        Fingerprint of everything that was asked for; a campaign does again what has another.
    path : Path or None
        The JSON file; None for what was not read from one.
    """

    system: str
    set: str
    measures: dict[str, float]
    per_query: dict[str, dict[str, float]]
    cost: Cost | None = None
    texts: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    key: str = ""
    path: Path | None = None

    @property
    def queries(self) -> int:
        """How many queries were judged."""
        return len(next(iter(self.per_query.values()), {}))

    def run(self) -> Run | None:
        """The hits, where the TREC file is beside the record."""
        if self.path is None or not self.path.with_suffix(".trec").exists():
            return None
        return read_run(self.path.with_suffix(".trec"))


def record_beside(run: str | Path) -> Path | None:
    """Where the record of a run is kept; None for a pipe or a device, which has nothing beside it.

    Raises
    ------
    EvaluationError
        The run itself has the record's suffix, or a file that is no record has the record's name: it is not replaced.
    """
    path = Path(run)
    if path.exists() and not path.is_file():
        return None
    if path.suffix == ".json":
        raise EvaluationError(
            f"the run {path} would have the name of its record", remedy="Give it another suffix: .trec"
        )
    beside = path.with_suffix(".json")
    if beside.exists():
        try:
            read_record(beside)
        except EvaluationError:
            raise EvaluationError(
                f"the record of {path} would replace {beside}, which is no record",
                remedy="Give the run another name",
            ) from None
    return beside


def record_of(result: EvaluationResult, collection: Collection, system: str, *, key: str = "") -> Record:
    """The record of a result."""
    return Record(
        system,
        short_name(collection.name),
        result.measures,
        result.per_query,
        result.cost,
        dict(collection.queries),
        result.provenance,
        result.warnings,
        key,
    )


def write_record(path: str | Path, record: Record, run: Run | None = None) -> Record:
    """Write the record (`.json`), and the run (`.trec`) before it, each whole or not at all.

    The record is written last: where it is, both are complete.

    Raises
    ------
    EvaluationError
        An id that a run cannot hold, or a file that cannot be written.
    """
    place = Path(path).with_suffix(".json")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"cannot make the folder {place.parent}: {error.strerror}") from None
    if run is not None:
        write_run(place.with_suffix(".trec"), run, tag="lsr")
    content = {
        "format": FORMAT,
        "system": record.system,
        "set": record.set,
        "measures": record.measures,
        "queries": record.queries,
        "cost": None if record.cost is None else record.cost.to_dict(),
        "warnings": list(record.warnings),
        "key": record.key,
        "provenance": record.provenance,
        "texts": record.texts,
        "per_query": record.per_query,
    }
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=True, allow_nan=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except OSError as error:
        raise EvaluationError(f"cannot write {place}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return Record(**{**{name: getattr(record, name) for name in Record.__slots__}, "path": place})


def read_record(path: str | Path) -> Record:
    """The record that `write_record` wrote.

    Raises
    ------
    EvaluationError
        No such file, or another kind of file.
    """
    place = Path(path)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read the record {place}: {error.strerror}") from None
    except ValueError as error:
        raise EvaluationError(f"{place} is not JSON: {error}") from None
    if not isinstance(content, dict) or "per_query" not in content or "measures" not in content:
        raise EvaluationError(
            f"{place} is no record of an evaluation", remedy="Records are written by lsr eval --run and eval/beir.py"
        )
    if content.get("format") != FORMAT:
        raise EvaluationError(f"{place} is a record of format {content.get('format')}, this version reads {FORMAT}")
    cost = content.get("cost")
    return Record(
        content["system"],
        content["set"],
        content["measures"],
        content["per_query"],
        None if cost is None else Cost.from_dict(cost),
        content.get("texts", {}),
        content.get("provenance", {}),
        tuple(content.get("warnings", ())),
        content.get("key", ""),
        place,
    )
