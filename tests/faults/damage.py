"""R5, R6: bits flipped, files cut, emptied, removed and exchanged; nothing wrong is ever answered.

Each damaged copy is opened by a reader with the default settings, asked everything, and compared with what the sound
index answers. Then a writer opens it: does it mend itself? Children do this, so that a crash would be counted too.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults.common import counted, document, fork_and_wait, require, scratch, warm_up, word
from lsr import Index
from lsr.engine.archive import create_snapshot, restore_snapshot
from lsr.errors import LsrError

#: Damage of one copy: changes the file at a path.
Harm = Callable[[Path], object]


def build(place: Path) -> None:
    """`closed`: an index at rest. `open`: the files of one whose writer is at work, its log full. `archive.lsr.tar`."""
    for name in ("closed", "live", "strange"):
        with Index.create(place / name, encoder="bm25") as index:
            index._merger.wake = lambda: None  # type: ignore[method-assign, union-attr]
            extra = 7 if name == "strange" else 0
            index.add([document(f"d{n}", 1 + extra) for n in range(60)])
            index.add([document(f"d{n}", 2 + extra) for n in range(50, 75)])
            index.delete([f"d{n}" for n in range(5)])
            index.patch({"d9": {"tags": ["x", "y"]}})
            index.optimize()
            index.add([document(f"e{n}", 1 + extra) for n in range(20)])
            index.delete(["e1", "d30"])
            if name == "live":
                shutil.copytree(place / name, place / "open")
    create_snapshot(place / "closed", place / "archive.lsr.tar")


def ask(index: Index, generation: int | None = None) -> str:
    """Everything that an index can be asked, as one text; `generation` stands for the index's own."""
    ids = [f"{kind}{n}" for kind in "de" for n in range(80)]
    answers: list[Any] = [len(index), index.generation if generation is None else generation]
    for id in ids:
        try:
            found = index.document(id)
            answers.append([found.id, found.text, found.metadata])
        except KeyError:
            answers.append(None)
    words = [word(id, version) for id in ids[::9] for version in (1, 2)]
    for query in ("common text", "text", "nothing", *words):
        hits = index.search(query, k=100, explain=True).hits
        answers.append([[h.id, h.integer_score, h.score, h.document.text, len(h.explanation or ())] for h in hits])
    hits = index.search("common", k=100, filter={"version": 2}).hits
    answers.append([hit.id for hit in hits])
    return json.dumps(answers)


def try_one(folder: Path, expected: str) -> str:
    """`harmless`, `mended`, `refused`, or what must never be: `silent_wrong`, or the name of an exception."""
    outcome = "harmless"
    try:
        with Index.open(folder) as index:
            answers = ask(index)
        if answers != expected:
            return "silent_wrong"
    except LsrError:
        outcome = "refused"
    except BaseException as error:
        return f"exception_{type(error).__name__}"
    if outcome == "harmless":
        return outcome
    try:
        with Index.open(folder, writable=True) as index:
            before = json.loads(expected)[1]  # to mend is to commit
            return "mended" if ask(index, before) == expected else "silent_wrong"
    except LsrError:
        return "refused"
    except BaseException as error:
        return f"exception_{type(error).__name__}"


def try_archive(archive: Path, expected: str) -> str:
    """The same of an archive: restored it is what it was, or it is refused."""
    target = archive.with_name("restored")
    try:
        restore_snapshot(archive, target)
    except LsrError:
        return "left_something" if target.exists() else "refused"
    except BaseException as error:
        return f"exception_{type(error).__name__}"
    with Index.open(target) as index:
        answers = ask(index)
    shutil.rmtree(target)
    return "harmless" if answers == expected else "silent_wrong"


def _files(place: Path) -> list[tuple[str, str, str]]:
    """Folder, file, kind of file."""
    result = []
    for folder in ("closed", "open"):
        for path in sorted((place / folder).rglob("*")):
            if path.is_file():
                kind = {"store.sqlite": "store", "store.sqlite-wal": "log", "store.sqlite-shm": "log_index"}
                name = str(path.relative_to(place / folder))
                result.append((folder, name, kind.get(name, "segment" if name.endswith(".seg") else name)))
    return [*result, ("", "archive.lsr.tar", "archive")]


def _flips(place: Path, count: int, rng: random.Random) -> Iterator[tuple[str, str, str, Harm]]:
    files = _files(place)
    for number in range(count):
        folder, name, kind = files[number % len(files)]
        size = (place / folder / name).stat().st_size
        if size:
            bit = rng.randrange(8 * size)

            def flip(path: Path, bit: int = bit) -> None:
                data = bytearray(path.read_bytes())
                data[bit // 8] ^= 1 << bit % 8
                path.write_bytes(data)

            yield folder, name, f"flip_{kind}", flip


def _others(place: Path) -> Iterator[tuple[str, str, str, Harm]]:
    """Cuts, empty files, missing files, files of another index, another version, appended bytes."""
    for folder, name, kind in _files(place):
        size = (place / folder / name).stat().st_size
        for cut in sorted({0, 1, 31, 100, size // 2, size * 9 // 10, size - 1} & set(range(size))):
            yield folder, name, f"cut_{kind}", lambda path, cut=cut: os.truncate(path, cut)  # type: ignore[misc]
        yield folder, name, f"missing_{kind}", Path.unlink
        yield folder, name, f"longer_{kind}", lambda path: path.write_bytes(path.read_bytes() + b"\0" * 64)
        if kind in ("store", "segment", "committed"):
            others = [place / "strange" / "store.sqlite", place / "strange" / "committed"]
            others += sorted((place / "strange" / "segments").iterdir()) + sorted(
                (place / folder / "segments").iterdir()
            )
            for other in others:
                same_kind = other.name == name or (kind == "segment") == (other.suffix == ".seg")
                if same_kind and other != place / folder / name:
                    yield folder, name, f"exchanged_{kind}", lambda path, o=other: shutil.copy(o, path)  # type: ignore[misc]
        if kind == "segment":

            def other_version(path: Path) -> None:
                data = bytearray(path.read_bytes())
                data[8:12] = (99).to_bytes(4, "little")
                path.write_bytes(data)

            yield folder, name, "version_segment", other_version


def run(flips: int, others: float = 1.0, seed: int = 5) -> dict[str, Any]:
    rng = random.Random(seed)
    totals: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {}
    with scratch() as place:
        warm_up(place)
        build(place)
        expected = {}
        for folder in ("closed", "open"):
            shutil.copytree(place / folder, place / "sound")
            with Index.open(place / "sound") as index:
                expected[folder] = ask(index)
            shutil.rmtree(place / "sound")
        expected[""] = expected["closed"]
        cases = [*_flips(place, flips, rng), *(case for case in _others(place) if rng.random() < others)]
        log = place / "outcomes"
        for start in range(0, len(cases), 25):
            log.write_text("")

            def some(start: int = start) -> None:
                for folder, name, kind, harm in cases[start : start + 25]:
                    copy = place / "copy"
                    copy.mkdir()
                    source = place / folder if folder else place / name
                    where = shutil.copytree(source, copy / "index") if folder else Path(shutil.copy(source, copy))
                    harm(where / name if folder else where)
                    if not where.exists():
                        outcome = "refused"
                    else:
                        outcome = try_one(where, expected[folder]) if folder else try_archive(where, expected[""])
                    shutil.rmtree(copy)
                    with open(log, "a") as told:
                        told.write(f"{kind} {outcome} {folder}/{name}\n")

            status = fork_and_wait(some)
            lines = log.read_text().splitlines()
            size = len(cases[start : start + 25])
            require(
                status == 0 and len(lines) == size,
                f"a process ended with {status} at {cases[start + len(lines) - 1 :][:2]}",
            )
            for line in lines:
                kind, outcome, where = line.split(" ", 2)
                totals[outcome] += 1
                by_kind.setdefault(kind, Counter())[outcome] += 1
                require(outcome in ("harmless", "mended", "refused"), f"{outcome} after {kind} of {where}")
    return {
        "flips": sum(sum(c.values()) for kind, c in by_kind.items() if kind.startswith("flip")),
        "other_damage": sum(sum(c.values()) for kind, c in by_kind.items() if not kind.startswith("flip")),
        "silent_wrong": 0,
        "crashes": 0,
        "outcomes": counted(totals),
        "by_kind": {kind: counted(counts) for kind, counts in sorted(by_kind.items())},
    }
