"""R16, R18, R19, R20: leaks over many openings, two writers, determinism, a clock that jumps."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from faults.common import content_of, document, fork, require, scratch, warm_up
from faults.encoder import DIM, ReadyEncoder, vectors_of
from lsr import Document, Index, check_index
from lsr.errors import WriterLockedError
from lsr.vectors import SparseVectors


def _usage() -> tuple[int, int]:
    """Open files, and kilobytes of resident memory."""
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return len(os.listdir("/proc/self/fd")), int(resident.split()[1])


def leaks(openings: int, creations: int) -> dict[str, Any]:
    """Open, search and close; create and remove: neither files nor memory may grow with the number of times."""
    encoder = ReadyEncoder()
    row = SparseVectors.from_dicts([{1: 1.0, 2: 1.0}], DIM)
    items = [(f"d{n}", 1) for n in range(50)]
    documents = [Document(id, "") for id, _ in items]
    with scratch() as place:
        warm_up(place)
        with Index.create(place / "index", encoder=encoder) as index:
            index.add_vectors(documents, vectors_of(items), fingerprint="ready")

        def open_once(number: int) -> None:
            with Index.open(place / "index", encoder=encoder, writable=number % 10 == 0) as index:
                index.search(vector=row, fingerprint="ready", k=3)

        def create_once(number: int) -> None:
            with Index.create(place / "new", encoder=encoder) as index:
                index.add_vectors(documents, vectors_of(items), fingerprint="ready")
                index.search(vector=row, fingerprint="ready", k=3)
            shutil.rmtree(place / "new")

        result: dict[str, Any] = {}
        for name, work, times in (("openings", open_once, openings), ("creations", create_once, creations)):
            for number in range(max(20, times // 10)):
                work(number)
            gc.collect()
            files, memory = _usage()
            for number in range(times):
                work(number)
            gc.collect()
            files_after, memory_after = _usage()
            grown = memory_after - memory
            require(files_after <= files, f"{files_after - files} files were left open by {times} {name}")
            require(grown < 4096 + times // 10, f"{grown} kB more after {times} {name}")
            result |= {name: times, f"{name}_files_left": files_after - files, f"{name}_kB_grown": grown}
        return result


def two_writers() -> dict[str, Any]:
    """The second is refused by the name of the first; a killed one is in nobody's way."""
    with scratch() as place:
        warm_up(place)
        Index.create(place / "index", encoder="bm25").close()
        reader, writer = os.pipe()

        def hold() -> None:
            with Index.open(place / "index", writable=True) as index:
                index.add([document("held", 1)])
                os.write(writer, b"x")
                time.sleep(60)

        pid = fork(hold)
        os.read(reader, 1)
        try:
            Index.open(place / "index", writable=True)
            named = False
        except WriterLockedError as error:
            named = f"process {pid} " in str(error)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reader)
            os.close(writer)
        require(named, "the second writer was let in, or was not told of the first")
        with Index.open(place / "index", writable=True) as index:
            index.add([document("next", 1)])
            require(content_of(index) == {"held": 1, "next": 1}, "a lock of the dead")
        return {"second_refused_by_name": True, "stale_lock_recovered": True}


def determinism(orders: int, seed: int = 19) -> dict[str, Any]:
    """Ids and integer scores do not depend on threads, order of insertion, commits, segments, merges or deletions."""
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(300)]
    texts = {f"d{n}": " ".join(words[min(299, w)] for w in numbers.zipf(1.5, 25)) for n in range(600)}
    queries = [" ".join(words[min(299, w)] for w in numbers.zipf(1.5, 5)) for _ in range(60)]
    variants = 0
    reference: list[list[tuple[float, str]]] | None = None
    with scratch() as place:
        for order in range(orders):
            ids = list(texts)
            rng.shuffle(ids)
            size = rng.choice([7, 40, 200, 600])
            folder = place / str(order)
            with Index.create(folder, encoder="bm25") as index:
                for start in range(0, len(ids), size):
                    index.add([Document(id, texts[id]) for id in ids[start : start + size]])
                    if order % 2:
                        index.add([Document(f"x{start}", "w1 w2 w3")])
                index.delete(filter={"_id": {"$nin": ids}})
                index.optimize()
                for threads in (1, 2, 4):
                    found = index.search_batch(queries, k=700, threads=threads)
                    answer = [sorted((score, id) for id, score in hits) for hits in found]
                    reference = reference or answer
                    require(answer == reference, f"order {order}, {threads} threads: other ids or scores")
                    variants += 1
            shutil.rmtree(folder)
    return {"variants": variants, "queries": len(queries), "different": 0}


def jumping_clock() -> dict[str, Any]:
    """Nothing rests on the time of day: it jumps back and forth, and the files are from 1970 and from the future."""
    with scratch() as place:
        now = iter([2e9, 1e9, 0.0, 3e9] * 10_000)
        with (
            mock.patch("time.time", side_effect=now),
            mock.patch("time.time_ns", side_effect=lambda: int(next(now)) * 10**9),
            Index.create(place / "index", encoder="bm25") as index,
        ):
            for number in range(30):
                index.add([document(f"d{number}", 1)])
                for path in (place / "index").rglob("*"):
                    with suppress(FileNotFoundError):  # a merge in the background removes what it has merged
                        os.utime(path, (number % 2 * 4e9, number % 2 * 4e9))
            index.settle()
            require(len(content_of(index)) == 30, "documents were lost with the time")
        require(check_index(place / "index").sound, "not sound after the clock jumped")
        return {"commits": 30, "sound": True}
