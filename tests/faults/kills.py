"""R1: a writer is killed at any moment of its work; nothing acknowledged is lost, nothing half-done is there."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from faults.common import Content, content_of, document, fork, percentile, recovered, require, scratch, warm_up
from lsr import Index

Step = dict[str, Any]


def _step(rng: random.Random, content: Content) -> Step:
    """What a writer does next: new documents, other versions of old ones, deletions, all in one or several commits."""
    kind = rng.choice(["add", "add", "add", "replace", "delete", "optimize"] if content else ["add"])
    if kind == "optimize" and rng.random() < 0.7:
        kind = "add"
    if kind == "add":
        return {"put": {f"d{rng.randrange(10**9)}": 1 for _ in range(rng.choice([1, 3, 20, 100]))}, "drop": []}
    chosen = rng.sample(sorted(content), min(len(content), rng.choice([1, 2, 10])))
    if kind == "replace":
        return {"put": {id: content[id] + 1 for id in chosen}, "drop": []}
    return {"put": {}, "drop": chosen if kind == "delete" else []}


def _apply(content: Content, step: Step) -> Content:
    return {id: v for id, v in {**content, **step["put"]}.items() if id not in step["drop"]}


def _write(folder: Path, seed: int, content: Content, pipe: int) -> None:
    rng = random.Random(seed)
    with Index.open(folder, writable=True) as index:
        while True:
            step = _step(rng, content)
            os.write(pipe, (json.dumps(step) + "\n").encode())
            if step["put"]:
                index.add([document(*item) for item in step["put"].items()])
            elif step["drop"]:
                index.delete(step["drop"])
            else:
                index.optimize()
            content = _apply(content, step)
            os.write(pipe, b"done\n")


def run(cycles: int, seed: int = 1) -> dict[str, Any]:
    rng = random.Random(seed)
    recoveries = []
    acknowledged = 0
    with scratch() as place:
        warm_up(place)
        folder = place / "index"
        Index.create(folder, encoder="bm25").close()
        content: Content = {}
        for cycle in range(cycles):
            if len(content) > 1500:  # a fresh one now and then, so that cycles stay short
                with Index.open(folder, writable=True) as index:
                    index.delete(list(content))
                content = {}
            reader, writer = os.pipe()
            child_seed = rng.randrange(10**9)
            pid = fork(lambda s=child_seed, c=content, w=writer: _write(folder, s, c, w))  # type: ignore[misc]
            os.close(writer)
            time.sleep(rng.uniform(0.005, 0.5))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            with os.fdopen(reader, "rb") as told:
                lines = [line for line in told.read().decode().split("\n") if line]
            pending: Step | None = None
            for line in lines:
                if line == "done":
                    require(pending is not None, "acknowledged twice")
                    content = _apply(content, pending or {})
                    pending, acknowledged = None, acknowledged + 1
                else:
                    pending = json.loads(line)
            began = time.perf_counter()
            with Index.open(folder, writable=True) as index:
                index.search("common", k=1)
                recoveries.append((time.perf_counter() - began) * 1e3)
                found = content_of(index)
            allowed = [content] if pending is None else [content, _apply(content, pending)]
            require(found in allowed, f"cycle {cycle}: {_difference(found, content)} in neither state")
            content = found
        require(recovered(folder) == content, "the end state is another")
    return {
        "kills": cycles,
        "acknowledged_commits": acknowledged,
        "lost": 0,
        "phantom_or_partial": 0,
        "manual_repairs": 0,
        "recovery_ms_p50": round(percentile(recoveries, 50), 1),
        "recovery_ms_p99": round(percentile(recoveries, 99), 1),
    }


def _difference(found: Content, expected: Content) -> str:
    return f"{sorted(set(found.items()) ^ set(expected.items()))[:5]}"
