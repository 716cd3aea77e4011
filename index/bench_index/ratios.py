"""The ratios that the project promises: medians against peers, means between our strategies."""

from __future__ import annotations

from typing import Any

from .report import OURS, Record, cell_of, fastest


def ratios(run: Record) -> Record:
    """Every ratio, by cell and at worst; those of peers are theirs over ours, so above 1 we are faster."""
    by = {(o["collection"], o["documents"], o["peer"]): o for o in run["outcomes"]}
    plan, out = run["plan"], dict[str, Any]()
    places = list(dict.fromkeys((o["collection"], o["documents"]) for o in run["outcomes"]))
    ours = {place: by[*place, OURS] for place in places if (*place, OURS) in by and by[*place, OURS]["cells"]}

    def against(peer: str, ks: tuple[int, ...], setting: str | None = None) -> Record:
        found: Record = {}
        for place, mine in ours.items():
            other = by.get((*place, peer))
            for kind in plan["kinds"] if other else ():
                for k in ks:
                    a, b = cell_of(mine, kind, k), cell_of(other, kind, k, setting) if other else None
                    if a and b:
                        found[f"{place[0]}-{place[1]} {kind} k={k}"] = b["p50"] / a["p50"]
        return found

    out["bmp_over_lsr_k10"] = _worst(against("bmp", (10,)), 8)
    out["bmp_over_lsr_k1000"] = _worst(against("bmp", (1000,)), 25)
    out["pisa_maxscore_over_lsr"] = _worst(against("pisa", tuple(plan["ks"]), "maxscore"), 10)
    out["lucene_over_lsr"] = _worst(against("lucene", tuple(plan["ks"])), 15)
    out["splade_index_over_lsr"] = _worst(against("splade-index", tuple(plan["ks"])), 2)
    seismic95, approximate, never, pruned, threads, undisturbed = (dict[str, float]() for _ in range(6))
    memory, bytes_each, build_rate = (dict[str, float]() for _ in range(3))
    for place, mine in ours.items():
        where = f"{place[0]}-{place[1]}"
        other = by.get((*place, "seismic"))
        for kind in plan["kinds"]:
            for k in plan["ks"]:
                cell = f"{where} {kind} k={k}"
                exact = {s: c for s in ("auto", "scan", "prune") if (c := cell_of(mine, kind, k, s))}
                if len(exact) == 3:
                    never[cell] = exact["auto"]["mean"] / min(exact["scan"]["mean"], exact["prune"]["mean"])
                    if k == 10:
                        pruned[cell] = exact["scan"]["p50"] / exact["prune"]["p50"]
                main = cell_of(mine, kind, k)
                if other and main and (theirs := fastest(other, kind, k, 0.95)):
                    seismic95[cell] = theirs["p50"] / main["p50"]
                    near = fastest(mine, kind, k, 0.99, approximate=True)
                    if near and (theirs := fastest(other, kind, k, 0.99)):
                        approximate[cell] = near["p50"] / theirs["p50"]
        rates = {(t["kind"], t["threads"]): t["per_second"] for t in mine["throughput"]}
        threads |= {f"{where} {kind}": rates[kind, 2] / one for (kind, n), one in rates.items() if n == 1}
        # What two threads do in a second of CPU time each: the same where no other process is in the way.
        each = {(t["kind"], t["threads"]): t["per_cpu_second"] for t in mine["throughput"] if "per_cpu_second" in t}
        undisturbed |= {f"{where} {kind}": 2 * each[kind, 2] / one for (kind, n), one in each.items() if n == 1}
        bytes_each[where] = mine["build"]["disk_bytes"] / place[1]
        build_rate[where] = place[1] / mine["build"]["seconds"]
        if other and "resident_bytes" in other["memory"]:
            memory[where] = _held(mine) / _held(other)
    out["seismic_at_95_over_lsr_exact"] = _worst(seismic95, 1)
    out["lsr_approx_at_99_over_seismic"] = _worst(approximate, 1.5, most=True)
    out["lsr_memory_over_seismic"] = _worst(memory, 1 / 3, most=True)
    out["auto_over_better_strategy"] = _worst(never, 1.15, most=True)
    out["scan_over_pruned_k10"] = _worst(pruned, 4)
    out["throughput_2_over_1_threads"] = _worst(threads, 1.8)
    out["throughput_2_over_1_threads_by_cpu_time"] = _worst(undisturbed, 1.8)
    out["bytes_per_document"] = _worst(bytes_each, 370, most=True)
    out["documents_per_second_built"] = _worst(build_rate, 100_000)
    wrong = [
        f"{o['collection']}-{o['documents']} {c['kind']} k={c['k']} {c['setting']}"
        for o in run["outcomes"] if o["peer"].startswith(OURS) for c in o["cells"]
        if not c["setting"].startswith("approx") and c["worst_recall"] < 1
    ]  # fmt: skip
    out["exact_lists_that_are_not"] = wrong
    return out


def _held(outcome: Record) -> float:
    return float(outcome["memory"]["resident_bytes"] - outcome["memory"]["baseline_bytes"])


def _worst(cells: Record, wanted: float, *, most: bool = False) -> Record:
    """The worst of the cells against what is wanted (at least; `most`: at most), and all of them."""
    if not cells:
        return {"wanted": wanted, "worst": None, "cells": {}}
    worst = max(cells, key=cells.__getitem__) if most else min(cells, key=cells.__getitem__)
    reached = cells[worst] <= wanted if most else cells[worst] >= wanted
    return {
        "wanted": round(wanted, 3), "worst": round(cells[worst], 3), "where": worst, "reached": reached,
        "cells": {name: round(value, 3) for name, value in cells.items()},
    }  # fmt: skip
