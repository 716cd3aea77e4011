"""One engine in one process: `python -m bench_index.worker '<job as JSON>'`, results as JSON lines on stdout.

Its own process, so that memory is the engine's own, and so that an engine may need another Python. Two phases, two
processes: "build" writes the index; "search" opens it and measures every cell. A cell is (kind of queries, k, setting).

Each query is run once to warm up, then `repeats` times; its time is the median over the repeats, and a cell's figures
are over queries. A slow engine gets fewer repeats, then fewer queries, so that a cell costs no more than `cap` seconds;
a fast one, whose microseconds a busy moment distorts, three times as many repeats.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .collection import open_collection
from .peers import Peer, load_peer

#: Shares of the documents that filters leave over.
SHARES = (0.5, 0.1, 0.01, 0.001, 0.0001)
#: Fewest queries that a cell is measured over, however slow the engine.
FEWEST = 20


_lines = sys.stdout


def emit(**record: Any) -> None:
    print(json.dumps(record), file=_lines, flush=True)


def resident() -> int:
    """Bytes of this process in memory, file pages included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def peak() -> int:
    """Most bytes of this process in memory at any time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def build(peer: Peer, job: dict[str, Any]) -> None:
    collection = open_collection(Path(job["collection"]))
    folder = Path(job["folder"])
    before, cpu, wall = resident(), os.times(), time.perf_counter()
    peer.build(collection, folder)
    after = os.times()
    emit(
        event="build",
        seconds=time.perf_counter() - wall,
        cpu_seconds=sum(after[:4]) - sum(cpu[:4]),
        peak_bytes=peak(),
        baseline_bytes=before,
        disk_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        info=peer.info(),
    )


def search(peer: Peer, job: dict[str, Any]) -> None:
    collection = open_collection(Path(job["collection"]))
    before, wall = resident(), time.perf_counter()
    peer.open(Path(job["folder"]), len(collection))
    emit(event="open", seconds=time.perf_counter() - wall, baseline_bytes=before)
    for kind in job["kinds"]:
        for terms, weights in collection.queries[kind].all_integers(peer.warm_up, job["levels"]):
            for k in job["ks"]:
                peer.search(peer.prepare(terms, weights, k, **peer.settings(kind, k, full=False)[0][1]))
        queries = collection.queries[kind].all_integers(job["queries"], job["levels"])
        for k in job["ks"]:
            settings = peer.settings(kind, k, full=job["full"])
            prepared = [
                [peer.prepare(terms, weights, k, **setting) for terms, weights in queries] for _, setting in settings
            ]
            cells = measure(peer, prepared, job["repeats"], job["cap"])
            for number, ((label, _), cell) in enumerate(zip(settings, cells, strict=True)):
                ids = np.full((len(cell["ids"]), k), -1, np.int64)
                for row, found in zip(ids, cell.pop("ids"), strict=True):
                    row[: len(found)] = found
                name = f"{kind}.{k}.{number}.npy"
                np.save(Path(job["out"]) / name, ids)
                emit(event="cell", kind=kind, k=k, setting=label, ids=name, **cell)
            if k == 10 and job["throughput"]:
                for threads in (1, 2):
                    rate, each = throughput(peer, prepared[0][: cells[0]["queries"]], threads, job["throughput"])
                    rates = {"per_second": rate, "per_cpu_second": each}
                    emit(event="throughput", kind=kind, k=k, setting=settings[0][0], threads=threads, **rates)
        if type(peer).filters and job["throughput"]:
            filtered(peer, kind, queries[:40], len(collection), job["cap"])
    emit(event="memory", resident_bytes=resident(), baseline_bytes=before, peak_bytes=peak())


def filtered(peer: Peer, kind: str, queries: list[Any], documents: int, cap: float) -> None:
    """Searches (k = 10) among some of the documents: chosen at random, and as neighbours."""
    rng = np.random.default_rng(7)
    setting = peer.settings(kind, 10, full=False)[0][1]
    prepared = [peer.prepare(terms, weights, 10, **setting) for terms, weights in queries]
    for share in SHARES:
        count = max(1, round(share * documents))
        scattered, together = np.zeros(documents, np.uint8), np.zeros(documents, np.uint8)
        scattered[rng.choice(documents, count, replace=False)] = 1
        first = int(rng.integers(0, documents - count + 1))
        together[first : first + count] = 1
        scattered.flags.writeable = together.flags.writeable = False
        for chosen, allowed in (("scattered", scattered), ("neighbours", together)):
            (cell,) = measure(peer, [[peer.among(query, allowed) for query in prepared]], 3, cap / 4)
            del cell["ids"]
            emit(event="filter", kind=kind, share=share, chosen=chosen, **cell)


def measure(peer: Peer, settings: list[list[Any]], repeats: int, cap: float) -> list[dict[str, Any]]:
    """Cells of several settings over the same queries: times in milliseconds, and what came back.

    Settings take turns, repeat by repeat, so that a busy minute of the machine does not fall on one of them.
    """
    first = [_first(peer, prepared, cap) for prepared in settings]
    sizes = [max(FEWEST, int(cap / 2 / each)) for _, _, each in first]
    queries = [min(len(ids), size) for (ids, _, _), size in zip(first, sizes, strict=True)]
    spent = [each * count for (_, _, each), count in zip(first, queries, strict=True)]
    rounds = [max(1, min(3 * repeats if cost < cap / 40 else repeats, int(cap / 2 / cost))) for cost in spent]
    clock = type(peer).clock
    times = [np.empty((n, count)) for n, count in zip(rounds, queries, strict=True)]
    for repeat in range(max(rounds, default=0)):
        for prepared, table in zip(settings, times, strict=True):
            for number in range(table.shape[1] if repeat < len(table) else 0):
                started = clock()
                peer.search(prepared[number])
                table[repeat, number] = clock() - started
    cells = []
    for (ids, work, _), table in zip(first, times, strict=True):
        best = np.median(table, axis=0) * 1e3
        cells.append(
            {
                "ids": ids[: table.shape[1]],
                "queries": table.shape[1],
                "repeats": len(table),
                "mean": float(best.mean()),
                "p50": float(np.median(best)),
                "p99": float(np.percentile(best, 99)),
                "work": {name: count / len(ids) for name, count in work.items()},
            }
        )
    return cells


def _first(peer: Peer, prepared: list[Any], cap: float) -> tuple[list[Any], dict[str, int], float]:
    """Hits and counted work of the first pass over the queries, cut where it takes too long, and seconds a query."""
    ids, work, wall = [], dict[str, int](), time.perf_counter()
    for number, query in enumerate(prepared):
        result = peer.search(query)
        ids.append(peer.ids(result))
        for name, count in peer.work(result).items():
            work[name] = work.get(name, 0) + count
        if number + 1 >= FEWEST and time.perf_counter() - wall > cap / 2:
            break
    return ids, work, (time.perf_counter() - wall) / len(ids)


#: Queries of a call, at least, where an engine takes many at once.
_IN_A_BATCH = 500


def throughput(peer: Peer, prepared: list[Any], threads: int, seconds: float) -> tuple[float, float]:
    """Queries a second of so many threads or processes, and a second of all their CPU time: each the best of three."""
    run = {"threads": _threaded, "fork": _forked, "batch": _batched}[peer.parallel]
    if peer.parallel == "batch":
        peer.batch(prepared, threads)  # compiles
    rates, each = [], []
    for _ in range(3):
        cpu, wall = sum(os.times()[:4]), time.perf_counter()
        rate = run(peer, prepared, threads, seconds / 3)
        rates.append(rate)
        each.append(rate * (time.perf_counter() - wall) / max(1e-6, sum(os.times()[:4]) - cpu))
    return max(rates), max(each)


def _batched(peer: Peer, prepared: list[Any], threads: int, seconds: float) -> float:
    prepared = prepared * -(-_IN_A_BATCH // len(prepared))  # a service's stream, not a few milliseconds of it
    started, done = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        peer.batch(prepared, threads)
        done += len(prepared)
    return done / (time.perf_counter() - started)


def _until(peer: Peer, prepared: list[Any], offset: int, deadline: float) -> int:
    done = 0
    while time.perf_counter() < deadline:
        for number in range(offset, offset + 8):
            peer.search(prepared[number % len(prepared)])
        done += 8
        offset += 8
    return done


def _threaded(peer: Peer, prepared: list[Any], threads: int, seconds: float) -> float:
    counts = [0] * threads
    started = time.perf_counter()

    def work(number: int) -> None:
        counts[number] = _until(peer, prepared, number * len(prepared) // threads, started + seconds)

    team = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    _all(team, lambda thread: thread.start())
    _all(team, lambda thread: thread.join())
    return sum(counts) / (time.perf_counter() - started)


def _all(team: list[threading.Thread], call: Callable[[threading.Thread], None]) -> None:
    for thread in team:
        call(thread)


def _forked(peer: Peer, prepared: list[Any], processes: int, seconds: float) -> float:
    read, write = os.pipe()
    started = time.perf_counter()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            done = _until(peer, prepared, number * len(prepared) // processes, started + seconds)
            os.write(write, done.to_bytes(8, "little"))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    elapsed = time.perf_counter() - started
    total = sum(int.from_bytes(os.read(read, 8), "little") for _ in children)
    os.close(read)
    os.close(write)
    return total / elapsed


def main() -> None:
    global _lines
    _lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what engines print is no result
    job = json.loads(sys.argv[1])
    try:
        peer = load_peer(job["peer"])
        emit(event="peer", version=peer.version(), exact=peer.exact, clock=peer.clock_name, note=peer.note)
        {"build": build, "search": search}[job["phase"]](peer, job)
    except ImportError as error:
        emit(event="absent", reason=f"{type(error).__name__}: {error}")
    except (Exception, SystemExit) as error:  # an engine's failure is a result: it is listed with its reason
        emit(event="failed", reason=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main()
