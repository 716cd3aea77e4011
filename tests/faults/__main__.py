"""`make faults`: every fault of the suite, its figures into a table, and one JSON object as the last line.

    python tests/faults [--quick] [--only NAME,NAME] [--to FILE.md] [--json FILE]

Figures of several runs, each of a part, are joined by `--json`: what the file holds already is kept.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import crowd, damage, kills, limits, lives, replay, syscalls

RESULTS = Path(__file__).parents[2] / "index" / "results"

#: Number in the project's list, what it is, the short form, the full form.
Fault = tuple[str, str, Callable[[], dict[str, Any]], Callable[[], dict[str, Any]]]


def _needs_strace(work: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    def checked() -> dict[str, Any]:
        reason = syscalls.missing()
        return {"skipped": reason} if reason else work()

    return checked


FAULTS: dict[str, Fault] = {
    "kills": ("R1", "SIGKILL while writing", lambda: kills.run(8), lambda: kills.run(250)),
    "syscalls": (
        "R2 R3",
        "killed, EIO, ENOSPC at each call",
        _needs_strace(lambda: syscalls.run(0.035)),
        _needs_strace(syscalls.run),
    ),
    "power": (
        "R4",
        "power cuts: prefixes of the calls, unflushed data lost, torn, zeroed",
        _needs_strace(lambda: replay.run(50)),
        _needs_strace(lambda: replay.run(10**9)),
    ),
    "damage": (
        "R5 R6",
        "bit flips, cut, missing and exchanged files",
        lambda: damage.run(60, 0.4),
        lambda: damage.run(2500),
    ),
    "disk": ("R7", "a small disk that fills", lambda: limits.full_disk(6, 1), lambda: limits.full_disk(24, 4)),
    "memory": ("R8", "little memory", lambda: limits.little_memory(96), lambda: limits.little_memory(512)),
    "crowd": (
        "R9 R17",
        "8 readers, 2 writing clients, merges, backups, a moving alias",
        lambda: crowd.run(4),
        lambda: crowd.run(60),
    ),
    "leaks": ("R16", "opened and closed many times", lambda: lives.leaks(150, 15), lambda: lives.leaks(20_000, 200)),
    "writers": ("R18", "two writers, a stale lock", lives.two_writers, lives.two_writers),
    "determinism": (
        "R19",
        "threads, orders of insertion, segments",
        lambda: lives.determinism(3),
        lambda: lives.determinism(24),
    ),
    "clock": ("R20", "a clock that jumps", lives.jumping_clock, lives.jumping_clock),
}


def run(names: list[str], *, quick: bool) -> dict[str, Any]:
    """The figures of the named faults; a fault that is found raises."""
    figures = {}
    for name in names:
        began = time.perf_counter()
        print(f"{name}: {FAULTS[name][1]} …", file=sys.stderr, flush=True)
        _, _, short, full = FAULTS[name]
        figures[name] = short() if quick else full()
        figures[name]["took_s"] = round(time.perf_counter() - began, 1)
    return figures


def table(figures: dict[str, Any], *, quick: bool) -> str:
    form = "short form" if quick else "full form"
    cores = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"# Faults, {datetime.now(UTC):%Y-%m-%d}, {form}",
        "",
        f"`make faults{' QUICK=1' if quick else ''}` on {cores}, a machine shared with others. A fault that is found",
        "ends the run, so every line here is without one: nothing acknowledged lost, nothing wrong answered.",
        "",
        "| | what | figures |",
        "|---|---|---|",
    ]
    for name, found in figures.items():
        shown = {key: value for key, value in found.items() if key != "by_kind"}
        text = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in shown.items())
        lines.append(f"| {FAULTS[name][0]} | {FAULTS[name][1]} | {text} |")
    if kinds := figures.get("damage", {}).get("by_kind"):
        lines += ["", "| damage | harmless | mended by the writer | refused |", "|---|---|---|---|"]
        for kind, counts in kinds.items():
            columns = (counts.get(outcome, 0) for outcome in ("harmless", "mended", "refused"))
            lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(map(str, columns))} |")
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key.replace('_', ' ')} {each}" for key, each in value.items()) + ")"
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="the short form of each")
    parser.add_argument("--only", default=",".join(FAULTS), help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--to", type=Path, help="the table; by default a dated file under index/results")
    parser.add_argument("--json", type=Path, help="keep figures here, with those of earlier runs of other parts")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what is damaged on purpose is not news
    kept = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    figures = {**kept, **run(arguments.only.split(","), quick=arguments.quick)}
    figures = {name: figures[name] for name in FAULTS if name in figures}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures))
    form = "-quick" if arguments.quick else ""
    to = arguments.to or RESULTS / f"faults{form}-{datetime.now(UTC):%Y-%m-%d}.md"
    to.write_text(table(figures, quick=arguments.quick))
    print(f"{to} written", file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
