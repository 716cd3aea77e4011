"""R9, R17: readers in several processes and threads, two writing clients, merges, backups, a moving alias.

Every answer names its generation and is compared with brute force over that generation, put together anew from what the
writers' calls reported. Archives made meanwhile are restored and compared with theirs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faults.common import Content, FaultFound, fork, require, scratch, warm_up
from faults.encoder import DIM, HEAVIEST, ReadyEncoder, vector_of, vectors_of
from lsr import Document, Index
from lsr.engine.aliases import set_alias
from lsr.engine.archive import create_snapshot, restore_snapshot
from lsr.index.quantize import quantize_impacts, quantize_query
from lsr.vectors import SparseVectors

K = 10
QUERIES = 40


def queries() -> list[dict[int, float]]:
    rng = np.random.default_rng(99)
    result = []
    for _ in range(QUERIES):
        terms = np.unique((DIM * rng.random(8) ** 2).astype(int))
        weights = (rng.gamma(2.0, 1.0, len(terms)) + 0.1).astype(np.float32)
        result.append(dict(zip(terms.tolist(), weights.tolist(), strict=True)))
    return result


class _Client(threading.Thread):
    """One writing client with ids of its own: what it did, and in which generation, goes to its log."""

    def __init__(self, name: str, index: Index, until: float, log: Path, seed: int) -> None:
        super().__init__(name=name)
        self._index, self._until, self._log, self._rng = index, until, log, random.Random(seed)
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with open(self._log, "w") as log:
                self._write(log)
        except BaseException as error:
            self.failure = error

    def _write(self, log: Any) -> None:
        mine: Content = {}
        while time.monotonic() < self._until:
            rng = self._rng
            if mine and rng.random() < 0.35:
                gone = rng.sample(sorted(mine), min(len(mine), rng.choice([1, 5, 30])))
                report = self._remove(gone)
                mine = {id: version for id, version in mine.items() if id not in gone}
                log.write(json.dumps([report, {}, gone]) + "\n")
            else:
                known = rng.sample(sorted(mine), min(len(mine), 3))
                fresh = [f"{self.name}{rng.randrange(10**7)}" for _ in range(rng.choice([1, 5, 40]))]
                put = {id: mine.get(id, 0) + 1 for id in [*known, *fresh]}
                items = list(put.items())
                added = self._index.add_vectors(
                    [Document(id, "", metadata={"version": version}) for id, version in items],
                    vectors_of(items),
                    fingerprint="ready",
                    wait="searchable",
                )
                mine |= put
                log.write(json.dumps([added.generation, put, []]) + "\n")
                probe = rng.choice(items)
                require(self._index.document(probe[0]).metadata["version"] == probe[1], "added, and not searchable")

    def _remove(self, gone: list[str]) -> int:
        report: list[int] = []

        def work(batch: Any) -> None:
            batch.delete([ordinal for ordinal, _ in batch.find(gone).values()])
            report.append(batch.generation)

        with self._index._write() as writer:
            writer.run(work)
        return report[-1]


def _read(folder: Path, until: float, log: Path, seed: int, index: Index | None = None) -> None:
    """One reader: its answers go to its log."""
    rng = random.Random(seed)
    asked = queries()
    own = None if index is not None else Index.open(folder, encoder=ReadyEncoder())
    used = index or own
    assert used is not None
    seen = 0
    try:
        with open(log, "w") as told:
            while time.monotonic() < until:
                if own is not None and rng.random() < 0.3:
                    own.refresh()
                number = rng.randrange(len(asked))
                row = SparseVectors.from_dicts([asked[number]], DIM)
                answer = used.search(vector=row, fingerprint="ready", k=K)
                require(own is None or answer.generation >= seen, "a reader went back in time")
                seen = answer.generation
                hits = [[hit.id, hit.document.metadata["version"], hit.integer_score] for hit in answer.hits]
                told.write(json.dumps([answer.generation, number, hits]) + "\n")
    finally:
        if own is not None:
            own.close()


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _readers(place: Path, until: float, numbers: range) -> None:
    works = [partial(_read, place / "index", until, place / f"reads{n}", n) for n in numbers]
    _in_threads(works)


def _follow_alias(place: Path, until: float) -> None:
    """Opens whatever the alias leads to, again and again: always one of the two indexes, whole."""
    log = place / "follower"
    opened = 0
    while time.monotonic() < until:
        with Index.open(place / "alias", encoder=ReadyEncoder()) as index:
            require(index.folder.name in ("index", "other"), "the alias led nowhere")
            index.search(vector=SparseVectors.from_dicts([queries()[0]], DIM), fingerprint="ready")
        opened += 1
        time.sleep(0.02)
    log.write_text(str(opened))


def run(seconds: float, seed: int = 9) -> dict[str, Any]:
    with scratch() as place:
        warm_up(place)
        encoder = ReadyEncoder()
        first = [(f"base{n}", 1) for n in range(50)]
        for name in ("index", "other"):
            with Index.create(place / name, encoder=encoder) as index:
                documents = [Document(id, "", metadata={"version": version}) for id, version in first]
                index.add_vectors(documents, vectors_of(first), fingerprint="ready")
        set_alias(place / "alias", place / "index")
        until = time.monotonic() + seconds
        children = [
            fork(lambda: _readers(place, until, range(3))),
            fork(lambda: _readers(place, until, range(3, 6))),
            fork(lambda: _follow_alias(place, until)),
        ]
        merges, backups = _write_meanwhile(place, until, seed)
        for child in children:
            require(os.waitpid(child, 0)[1] == 0, "a reading process failed")
        history = _history(place, first)
        answers = _compare_answers(place, history)
        for backup in backups:
            info = restore_snapshot(backup, place / "restored")
            with Index.open(place / "restored", encoder=encoder) as index, index.snapshot() as snapshot:
                held = {document.id: document.metadata["version"] for document in snapshot.all_documents()}
            require(held == history[info.generation], f"the archive of generation {info.generation} is another")
            shutil.rmtree(place / "restored")
        return {
            "seconds": seconds,
            "answers": answers,
            "wrong": 0,
            "exceptions": 0,
            "generations": len(history),
            "merges": merges,
            "backups_restored": len(backups),
            "alias_openings": int((place / "follower").read_text()),
        }


def _write_meanwhile(place: Path, until: float, seed: int) -> tuple[int, list[Path]]:
    """Two clients, two readers in the writer's own process, backups and alias swaps until the time is over."""
    backups: list[Path] = []
    with Index.open(place / "index", writable=True, encoder=ReadyEncoder()) as index:
        clients = [_Client(f"c{n}-", index, until, place / f"writes{n}", seed + n) for n in range(2)]
        readers = [
            threading.Thread(target=_read, args=(place / "index", until, place / f"reads{n}", n, index)) for n in (6, 7)
        ]
        for thread in [*clients, *readers]:
            thread.start()
        while time.monotonic() < until:
            target = "other" if (place / "alias").resolve().name == "index" else "index"
            set_alias(place / "alias", place / target)
            if len(backups) < 12 and time.monotonic() < until - 0.5:
                backups.append(place / f"backup{len(backups)}.lsr.tar")
                create_snapshot(place / "index", backups[-1])
            time.sleep(0.1)
        for thread in [*clients, *readers]:
            thread.join()
        index.settle()
        merger = index._merger
        assert merger is not None
        for client in clients:
            if client.failure is not None:
                raise FaultFound(f"a writing client failed: {client.failure!r}") from client.failure
        return merger.merges, backups


def _history(place: Path, first: list[tuple[str, int]]) -> dict[int, Content]:
    """The documents of every generation, by what the writers' calls reported; merges change none of them."""
    events: dict[int, list[tuple[Content, list[str]]]] = {}
    for log in place.glob("writes*"):
        for line in log.read_text().splitlines():
            generation, put, gone = json.loads(line)
            events.setdefault(generation, []).append((put, gone))
    content = dict(first)
    history = {1: content}
    with Index.open(place / "index", encoder=ReadyEncoder()) as index:
        last = index.generation
    for generation in range(2, last + 1):
        for put, gone in events.get(generation, []):
            content = {id: version for id, version in {**content, **put}.items() if id not in gone}
        history[generation] = content
    return history


def _impacts(item: tuple[str, int]) -> NDArray[np.int64]:
    vector = vector_of(*item)
    row = np.zeros(DIM, np.int64)
    row[list(vector)] = quantize_impacts(np.array(list(vector.values()), np.float32), HEAVIEST)
    return row


def _compare_answers(place: Path, history: dict[int, Content]) -> int:
    """Every answer against the brute force of its generation; returns how many."""
    answers: dict[int, list[tuple[int, Any]]] = {}
    for log in place.glob("reads*"):
        for line in log.read_text().splitlines():
            generation, number, hits = json.loads(line)
            answers.setdefault(generation, []).append((number, hits))
    rows: dict[tuple[str, int], NDArray[np.int64]] = {}
    asked = queries()
    for generation, given in answers.items():
        items = list(history[generation].items())
        for item in items:
            if item not in rows:
                rows[item] = _impacts(item)
        matrix = np.stack([rows[item] for item in items])
        live = np.flatnonzero(matrix.any(axis=0)).tolist()
        places = {item: place for place, item in enumerate(items)}
        known: dict[int, NDArray[np.int64]] = {}
        for number, hits in given:
            if number not in known:
                terms = [term for term in sorted(asked[number]) if term in live]
                integers, _ = quantize_query(np.array([asked[number][term] for term in terms], np.float32))
                known[number] = matrix[:, terms] @ integers.astype(np.int64)
            scores = known[number]
            best = np.sort(scores[scores > 0])[::-1][:K].tolist()
            require([hit[2] for hit in hits] == best, f"generation {generation}: scores {hits} are not {best}")
            for id, version, score in hits:
                place_of = places.get((id, version))
                require(place_of is not None, f"generation {generation} does not hold {id} {version}")
                require(scores[place_of] == score, f"generation {generation}: {id} has another score")
    return sum(len(given) for given in answers.values())
