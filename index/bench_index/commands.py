"""The command line of the benchmark: which collections, engines and amounts make a run."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import plots, prepare, report
from .collection import Collection
from .peers import ORDERED, REGISTRY
from .ratios import ratios
from .runner import PYTHONS, Outcome, Plan, built, run_peer

RESULTS = Path(__file__).parents[1] / "results"
HUNDRED, MILLION = 100_000, 1_000_000

#: What a run measures unless it is told otherwise: sets with sizes, engines, amounts.
QUICK_SETS = [("clustered", HUNDRED), ("diffuse", HUNDRED), ("real", HUNDRED)]
FULL_SETS = [*QUICK_SETS, ("clustered", MILLION), ("diffuse", MILLION), ("real", prepare.REAL_ALL)]
LARGE_SETS = [("clustered", 8_800_000), ("bootstrap", 8_800_000), ("diffuse", 8_800_000)]
QUICK = Plan(queries=100, repeats=3, cap=1.0, throughput=0.6, full=False, build_limit=200, search_limit=100)
FULL = Plan()
LARGE = Plan(queries=200, repeats=2, cap=20.0, throughput=3.0, build_limit=4 * 3600)

#: (engine, set or "", most documents, reason): what is not tried, and why.
LIMITS = [
    ("kannolo", "", HUNDRED, "its build takes minutes at 100,000 documents and grows faster than the collection"),
    ("milvus-lite", "", HUNDRED, "60 queries over 100,000 documents did not finish in 65 s"),
    ("bmp", "", 2_000_000, "its build peaks at 7.5 KB a document: 66 GB at 8.8 million"),
    ("bm25s", "", 2_000_000, "10 bytes a posting while its arrays are made: more than 20 GB at 8.8 million"),
    ("splade-index", "", 2_000_000, "10 bytes a posting while its arrays are made: more than 20 GB at 8.8 million"),
    ("scipy", "", 2_000_000, "10 bytes a posting while its arrays are made: more than 20 GB at 8.8 million"),
]
#: Left out of a quick run, for their builds.
QUICK_LIMITS = {
    "lsr-unordered": "full runs only",
    "kannolo": "its build takes minutes: full runs only",
    "milvus-lite": "its build takes a minute and its queries do not finish: full runs only",
    "bm25s": "term at a time like splade-index, without query weights: full runs only",
}
#: Where a quick run builds Seismic, which takes longer than all else together; elsewhere only if it is built already.
QUICK_SEISMIC = "clustered"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench_index.py")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, write results")
    run.add_argument("--quick", action="store_true", help="100,000 documents, few queries, at most 5 minutes")
    run.add_argument("--large", action="store_true", help="8.8 million documents, engines that fit")
    run.add_argument("--sets", nargs="+", metavar="SET:DOCUMENTS", help="instead of the usual ones")
    run.add_argument("--peers", nargs="+", choices=list(REGISTRY), help="instead of all")
    run.add_argument("--levels", type=int, help="integer weight of a query's heaviest term (32)")
    run.add_argument("--queries", type=int, help="most queries a cell")
    run.add_argument("--cap", type=float, help="most seconds a cell")
    run.add_argument("--memory", type=float, help="most GiB of an engine's own memory (20)")
    run.add_argument("--rebuild", action="store_true", help="build peers' indexes anew, though they are cached")
    run.add_argument("--label", help="name of the results")
    encode = commands.add_parser("encode", help="encode real documents by the carried encoder, once")
    encode.add_argument("--documents", type=int, default=prepare.REAL_CPU)
    encode.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    again = commands.add_parser("report", help="tables and plots of earlier figures, anew")
    again.add_argument("figures", type=Path)
    commands.add_parser("peers", help="which engines are installed")
    options = parser.parse_args()
    if options.command == "run":
        return _run(options)
    if options.command == "encode":
        print(prepare.collection("real", options.documents, encode=True, device=options.device).folder)
        return 0
    if options.command == "report":
        _write(
            json.loads(options.figures.read_text()),
            options.figures.with_name(options.figures.name.removesuffix(".json")),
        )
        return 0
    return _peers()


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else LARGE if options.large else FULL
    changed = {name: getattr(options, name) for name in ("levels", "queries", "cap") if getattr(options, name)}
    memory = int(options.memory * 2**30) if options.memory else base.memory_limit
    return Plan(**{**asdict(base), **changed, "rebuild": options.rebuild, "memory_limit": memory})


def _run(options: argparse.Namespace) -> int:
    plan = _plan(options)
    usual = QUICK_SETS if options.quick else LARGE_SETS if options.large else FULL_SETS
    sets = [(name, int(size)) for name, _, size in (s.partition(":") for s in options.sets)] if options.sets else usual
    label = options.label or ("quick" if options.quick else "large" if options.large else "full")
    run: dict[str, Any] = {
        "label": label,
        "date": report.today(),
        "machine": report.machine(),
        "command": " ".join(["python", "index/bench_index.py", *sys.argv[1:]]),
        "load": [os.getloadavg()[0], 0.0],
        "plan": asdict(plan),
        "collections": {},
        "outcomes": [],
        "left_out": [],
    }
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"index-{label}-{run['date']}"
    scratch = Path(tempfile.mkdtemp(prefix="bench-index-"))
    try:
        for name, size in sets:
            _measure(run, name, size, plan, options, scratch)
            run["load"][1] = os.getloadavg()[0]
            _write(run, target)  # after each collection, so that a run that is stopped leaves what it measured
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    figures = ratios(run)
    for name, figure in figures.items():
        if isinstance(figure, dict) and figure["worst"] is not None:
            print(f"{name}: {figure['worst']} at {figure['where']}, wanted {figure['wanted']}", flush=True)
    print(f"written: {target}.md")
    print(json.dumps({"label": label, "date": run["date"], "machine": run["machine"], **figures}))
    return 0


def _measure(run: dict[str, Any], name: str, size: int, plan: Plan, options: argparse.Namespace, scratch: Path) -> None:
    started = time.monotonic()
    try:
        source = prepare.collection(name, size)
    except prepare.NotAvailableError as error:
        run["left_out"].append(("all", f"{name} {size:,}", str(error)))
        print(f"{name} {size:,}: {error}", flush=True)
        return
    wanted = options.peers or list(REGISTRY)
    arranged = prepare.ordered(source) if any(peer in ORDERED for peer in wanted) else None
    run["collections"][f"{source.name}-{size}"] = _facts(source, arranged[0] if arranged else None)
    print(f"{name} {size:,}: ready after {time.monotonic() - started:.0f} s", flush=True)
    for peer in wanted:
        reason = "" if options.peers else _left_out(peer, name, size, quick=options.quick)
        if reason:
            run["left_out"].append((peer, f"{name} {size:,}", reason))
            continue
        started = time.monotonic()
        outcome = run_peer(peer, source, arranged, plan, scratch)
        run["outcomes"].append(outcome.to_json())
        print(f"  {peer}: {_short(outcome)} ({time.monotonic() - started:.0f} s)", flush=True)


def _left_out(peer: str, name: str, size: int, *, quick: bool) -> str:
    if quick and peer in QUICK_LIMITS:
        return QUICK_LIMITS[peer]
    if quick and peer == "seismic" and name != QUICK_SEISMIC and not built(peer, name, size):
        return f"its build takes minutes: quick runs build it for {QUICK_SEISMIC} alone"
    return next(
        (why for engine, only, most, why in LIMITS if engine == peer and only in ("", name) and size > most), ""
    )


def _facts(source: Collection, arranged: Collection | None) -> dict[str, Any]:
    share = source.frequencies() / len(source)
    queries = {
        kind: {"terms": len(q.terms) / len(q), "met": float(share[q.terms].sum() / len(q)), "count": len(q)}
        for kind, q in source.queries.items()
    }
    facts = {**source.meta, "queries": queries}
    return facts if arranged is None else {**facts, "ordering_seconds": prepare.ordering_seconds(arranged.folder)}


def _short(outcome: Outcome) -> str:
    cells = [f"{c['kind']} {c['mean']:.3g} ms" for c in outcome.cells if c["k"] == 10][:4]
    return "; ".join([*cells, *([outcome.reason] if outcome.reason else [])])


def _write(run: dict[str, Any], target: Path) -> None:
    text = report.markdown(run)
    pictures = plots.plot(run, target.with_name(f"{target.name}.svg"))
    if pictures:
        text += f"\n![Recall against latency]({pictures[0]})\n"
    target.with_name(f"{target.name}.md").write_text(text)
    target.with_name(f"{target.name}.json").write_text(json.dumps(run, indent=1) + "\n")


def _peers() -> int:
    import subprocess

    code = "import sys; from bench_index.peers import load_peer; print(load_peer(sys.argv[1]).version())"
    for name in REGISTRY:
        python = Path(PYTHONS.get(name, sys.executable))
        if not python.exists():
            print(f"{name}: no {python}")
            continue
        found = subprocess.run(
            [python, "-c", code, name],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(RESULTS.parent)},
        )
        print(f"{name}: {found.stdout.strip() or found.stderr.strip().splitlines()[-1]}")
    return 0
