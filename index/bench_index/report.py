"""The tables of a run, in Markdown, from what the runner gathered. Knows outcomes as plain records."""

from __future__ import annotations

import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import own_tables

Record = dict[str, Any]
#: Recalls at which approximate engines are compared.
RECALLS = (0.95, 0.99, 0.999)
KIND_NAMES = {"splade": "SPLADE", "free": "inference-free"}
OURS = "lsr"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names) or '?'} × {names[0] if names else platform.processor()}, Python {platform.python_version()}"


def cell_of(outcome: Record, kind: str, k: int, setting: str | None = None) -> Record | None:
    """The cell of a setting; of the engine's main one (the first) where none is named."""
    for cell in outcome["cells"]:
        if cell["kind"] == kind and cell["k"] == k and setting in (None, cell["setting"]):
            found: Record = cell
            return found
    return None


def fastest(outcome: Record, kind: str, k: int, least: float, *, approximate: bool = False) -> Record | None:
    """The setting of the lowest mean that reaches a recall; `approximate`: only among those called so."""
    fit = [
        cell
        for cell in outcome["cells"]
        if cell["kind"] == kind and cell["k"] == k and cell["recall"] >= least
        and (not approximate or cell["setting"].startswith("approx"))
    ]  # fmt: skip
    return min(fit, key=lambda cell: cell["mean"], default=None)


# -- Markdown -----------------------------------------------------------------------------------------------------


def markdown(run: Record) -> str:
    plan = run["plan"]
    lines = [
        f"# Index benchmark, {run['label']}, {run['date']}",
        "",
        f"`{run['command']}`; {run['machine']}, load {run['load'][0]:.1f} at first and {run['load'][1]:.1f} at last.",
        "",
        "Times are CPU milliseconds of one thread a query, warm, each query's median of up to "
        f"{plan['repeats']} repeats; mean, median and 99th percentile are over up to {plan['queries']} queries. Where "
        "another clock ran, the table of engines says so. Query weights are integers up to "
        f"{plan['levels']}, impacts 8 bits, the same for all. Recall: share of the k places whose exact score "
        "reaches the exact k-th score. How to read and to run this: index/README.md.",
        "",
    ]
    groups: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for outcome in run["outcomes"]:
        groups[outcome["collection"], outcome["documents"]].append(outcome)
    for (name, documents), outcomes in groups.items():
        facts = run["collections"][f"{name}-{documents}"]
        lines += [f"## {name}, {documents:,} documents", "", *_collection(facts, documents), ""]
        lines += _engines(outcomes, documents)
        for kind in plan["kinds"]:
            lines += _latency(outcomes, kind, plan["ks"])
        lines += _approximate(outcomes, plan)
        lines += _strategies(outcomes, plan)
        lines += own_tables.filters(outcomes)
    lines += own_tables.growth(run["outcomes"])
    missing = [
        f"| {o['peer']} | {o['collection']} {o['documents']:,} | {o['reason']} |"
        for o in run["outcomes"]
        if o["reason"]
    ]
    missing += [f"| {peer} | {where} | {reason} |" for peer, where, reason in run["left_out"]]
    if missing:
        lines += ["## Missing or incomplete", "", "| engine | collection | reason |", "|---|---|---|", *missing, ""]
    return "\n".join(lines)


def _collection(facts: Record, documents: int) -> list[str]:
    text = f"{facts['postings'] / documents:.1f} terms a document"
    for kind, query in facts["queries"].items():
        text += f"; {KIND_NAMES[kind]} queries: {query['terms']:.1f} terms, {query['met']:.2f} postings a document"
    order = facts.get("ordering_seconds")
    return [text + ".", *([f"Graph bisection of the documents took {order:.0f} s."] if order else [])]


def _engines(outcomes: list[Record], documents: int) -> list[str]:
    lines = [
        "| engine | version | build s (CPU s) | build peak MB | disk B/doc | resident MB "
        "| q/s 1 → 2 threads, SPLADE k = 10 | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for o in outcomes:
        if not o["build"]:
            continue
        build, memory, facts = o["build"], o["memory"], o["facts"]
        held = (
            f"{(memory['resident_bytes'] - memory['baseline_bytes']) / 1e6:.0f}" if "resident_bytes" in memory else "–"
        )
        rates = [f"{t['per_second']:,.0f}" for t in o["throughput"] if t["kind"] == "splade"]
        clock = "" if facts["clock"] == "thread CPU" else f"; {facts['clock']}"
        lines.append(
            f"| {o['peer']} | {facts['version']} | {build['seconds']:.1f} ({build['cpu_seconds']:.1f}) "
            f"| {build['peak_bytes'] / 1e6:.0f} | {build['disk_bytes'] / documents:.0f} | {held} "
            f"| {' → '.join(rates) or '–'} | {facts['note']}{clock} |"
        )
    return [*lines, ""]


def _latency(outcomes: list[Record], kind: str, ks: list[int]) -> list[str]:
    head = " | ".join(f"k = {k}: mean / p50 / p99 | recall" for k in ks)
    lines = [f"**{KIND_NAMES[kind]} queries**, ms", "", f"| engine | {head} |", "|---" * (1 + 2 * len(ks)) + "|"]
    for o in outcomes:
        exact = o["facts"].get("exact", True)
        for setting in dict.fromkeys(cell["setting"] for cell in o["cells"] if cell["kind"] == kind):
            if setting.startswith(("approx", "alpha")) or not exact:
                continue
            cells = [cell_of(o, kind, k, setting) for k in ks]
            shown = " | ".join("– | –" if c is None else f"{_times(c)} | {c['recall']:.4g}" for c in cells)
            lines.append(f"| {o['peer']} {setting} | {shown} |")
    return [*lines, ""]


def _times(cell: Record) -> str:
    return f"{cell['mean']:.3g} / {cell['p50']:.3g} / {cell['p99']:.3g}"


def _approximate(outcomes: list[Record], plan: Record) -> list[str]:
    """The fastest setting of each engine that reaches a recall; exact modes of ours take part, called so."""
    rows = []
    for o in outcomes:
        settings = {cell["setting"] for cell in o["cells"]}
        if o["peer"] != OURS and o["facts"].get("exact", True) and not any(s.startswith("alpha") for s in settings):
            continue
        for kind in plan["kinds"]:
            for k in plan["ks"]:
                cells = [cell for cell in o["cells"] if cell["kind"] == kind and cell["k"] == k]
                if not cells:
                    continue
                texts = []
                for least in RECALLS:
                    best = fastest(o, kind, k, least)
                    if best is None:
                        top = max(cells, key=lambda cell: cell["recall"])
                        texts.append(f"not reached ({top['recall']:.3f} at {top['mean']:.3g})")
                    else:
                        texts.append(f"{best['mean']:.3g} ({best['recall']:.4f}, {best['setting'] or 'exact'})")
                rows.append(f"| {KIND_NAMES[kind]} | {k} | {o['peer']} | {' | '.join(texts)} |")
    if not rows:
        return []
    head = " | ".join(f"{100 * least:g} %" for least in RECALLS)
    order = sorted(rows, key=lambda row: (row.split("|")[1], int(row.split("|")[2])))
    return [
        "**Fastest setting that reaches a recall**, mean ms (recall, setting)",
        "",
        f"| queries | k | engine | {head} |",
        "|---" * (3 + len(RECALLS)) + "|",
        *order,
        "",
    ]


def _strategies(outcomes: list[Record], plan: Record) -> list[str]:
    """Counted work of our own strategies: what grows with the collection on any machine."""
    rows = [
        (o["peer"], cell)
        for o in outcomes
        for cell in o["cells"]
        if cell["work"] and not cell["setting"].startswith("approx")
    ]
    if not rows:
        return []
    names = list(rows[0][1]["work"])
    lines = [
        "**Counted work**, mean a query",
        "",
        f"| strategy | queries | k | ms | {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * (4 + len(names)) + "|",
    ]
    for peer, cell in rows:
        counts = " | ".join(f"{cell['work'].get(name, 0):,.0f}" for name in names)
        lines.append(
            f"| {peer} {cell['setting']} | {KIND_NAMES[cell['kind']]} | {cell['k']} | {cell['mean']:.3g} | {counts} |"
        )
    return [*lines, ""]


def today() -> str:
    return datetime.now(UTC).date().isoformat()
