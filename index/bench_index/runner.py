"""Runs engines over collections, each in processes of its own, and gathers what they report.

Knows processes, limits, caches of built indexes and recall. Knows nothing of any engine, nor of tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .collection import LEVELS, Collection, data_root
from .peers import ORDERED
from .truth import exact_scores, recall

HERE = Path(__file__).parents[1]
#: Interpreters of engines that need another Python than this one; see the Makefile.
PYTHONS = {"lucene": HERE.parent / ".venv-bench-java" / "bin" / "python"}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    ks: tuple[int, ...] = (10, 100, 1000)
    kinds: tuple[str, ...] = ("splade", "free")
    queries: int = 300
    levels: int = LEVELS
    repeats: int = 3
    cap: float = 10.0  # seconds that a cell may take
    throughput: float = 3.0  # seconds that a measure of throughput takes
    full: bool = True  # approximate settings of exact engines, and throughput of peers, too
    build_limit: float = 3600.0
    search_limit: float = 3600.0
    memory_limit: int = 20 << 30
    rebuild: bool = False


@dataclass
class Outcome:
    """What is known of one engine on one collection."""

    peer: str
    collection: str
    documents: int
    facts: dict[str, Any] = field(default_factory=dict)  # version, exact, clock, note
    build: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    cells: list[dict[str, Any]] = field(default_factory=list)
    throughput: list[dict[str, Any]] = field(default_factory=list)
    filters: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""  # why it is missing or incomplete

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def built(peer: str, name: str, documents: int) -> bool:
    """Whether an index is kept from an earlier run."""
    return (_kept(peer, name, documents) / "build.json").exists()


def _kept(peer: str, name: str, documents: int) -> Path:
    return data_root() / "indexes" / f"{name}-{documents}" / peer


def run_peer(
    name: str, source: Collection, arranged: tuple[Collection, NDArray[np.int64]] | None, plan: Plan, scratch: Path
) -> Outcome:
    """Build (or take from the cache), search, compare with the truth."""
    outcome = Outcome(name, source.name, len(source))
    given, order = arranged if name in ORDERED and arranged else (source, None)
    python = str(PYTHONS.get(name, sys.executable))
    if not Path(python).exists():
        outcome.reason = "needs Python 3.12; `make bench-index` makes its environment where python3.12 is on the PATH"
        return outcome
    folder = _kept(name, source.name, len(source))
    record = folder / "build.json"
    job = {"peer": name, "collection": str(given.folder), "folder": str(folder)}
    if plan.rebuild or name.startswith("lsr") or not record.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for event in _events(python, {**job, "phase": "build"}, plan.build_limit, plan.memory_limit):
            _take(outcome, event)
        if outcome.build and not outcome.reason:
            record.write_text(json.dumps({"build": outcome.build, "facts": outcome.facts}))
    else:
        outcome.build = {**json.loads(record.read_text())["build"], "cached": True}
    if outcome.reason:
        return outcome
    out = scratch / f"{source.name}-{len(source)}-{name}"
    out.mkdir(parents=True, exist_ok=True)
    options = {key: getattr(plan, key) for key in ("ks", "kinds", "queries", "levels", "repeats", "cap", "full")}
    search = {**job, **options, "phase": "search", "out": str(out), "throughput": 0.0}
    if plan.full or name.startswith("lsr"):
        search["throughput"] = plan.throughput
    for event in _events(python, search, plan.search_limit, plan.memory_limit):
        if event["event"] == "cell":
            ids = np.load(out / event["ids"])
            if order is not None:
                ids = np.where(ids >= 0, order[ids], -1)
            truth = exact_scores(source, event["kind"], plan.queries, plan.levels)
            found = recall(source, event["kind"], event["k"], ids, plan.levels, truth)
            event |= {"recall": float(found.mean()), "worst_recall": float(found.min())}
        _take(outcome, event)
    return outcome


def _take(outcome: Outcome, event: dict[str, Any]) -> None:
    kind = event.pop("event")
    if kind == "peer":
        outcome.facts = event
    elif kind == "build":
        outcome.build = event
    elif kind == "open":
        outcome.memory["open_seconds"] = event["seconds"]
    elif kind == "memory":
        outcome.memory |= event
    elif kind in ("cell", "throughput", "filter"):
        {"cell": outcome.cells, "throughput": outcome.throughput, "filter": outcome.filters}[kind].append(event)
    else:  # absent, failed, limit
        outcome.reason = event["reason"]


def _events(python: str, job: dict[str, Any], limit: float, memory: int) -> Iterator[dict[str, Any]]:
    """What a worker reports, and at last why it was stopped, if it was."""
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(
        [python, "-W", "ignore", "-m", "bench_index.worker", json.dumps(job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    stopped: list[str] = []
    tail: list[str] = []

    def watch() -> None:
        deadline = time.monotonic() + limit
        while process.poll() is None:
            if time.monotonic() > deadline:
                stopped.append(f"{job['phase']} did not finish within {limit:.0f} s")
            elif _resident(process.pid) > memory:
                stopped.append(f"{job['phase']} took more than {memory / 2**30:.0f} GiB of memory")
            if stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its own session: this worker and what it started
                return
            time.sleep(0.2)

    def drain() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            tail[:] = [*tail[-20:], line.strip()]

    helpers = [threading.Thread(target=work, daemon=True) for work in (watch, drain)]
    for helper in helpers:
        helper.start()
    assert process.stdout is not None
    failed = False
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        failed = failed or event["event"] in ("absent", "failed")
        yield event
    process.wait()
    for helper in helpers:
        helper.join()
    if stopped:
        yield {"event": "limit", "reason": stopped[0]}
    elif process.returncode != 0 and not failed:
        last = next((line for line in reversed(tail) if line), "")
        yield {"event": "failed", "reason": f"{job['phase']} ended with code {process.returncode}: {last[:200]}"}


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
