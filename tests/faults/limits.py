"""R7, R8: a small disk that fills, and little memory; what was committed stays, reading goes on, writing resumes."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.common import document, fork_and_wait, require, scratch, warm_up
from lsr import Document, Index, check_index
from lsr.errors import DiskFullError, LsrError


def _mounted(folder: Path, megabytes: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path | None]:
    """A tmpfs of that size; None where none may be mounted."""
    with scratch() as place:
        disk = place / "disk"
        disk.mkdir()
        if not _mounted(disk, megabytes):
            yield None
            return
        try:
            yield disk
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def _batch(number: int, size: int = 100) -> list[Document]:
    return [
        Document(f"{number}-{n}", f"common text {number} {n} " + "filler " * 60, metadata={"batch": number})
        for n in range(size)
    ]


def full_disk(megabytes: int, rounds: int) -> dict[str, Any]:
    """Fill, read, delete, go on, without reopening; several times."""
    with small_disk(megabytes) as disk:
        if disk is None:
            return {"skipped": "needs the right to mount a tmpfs"}
        committed: set[int] = set()
        refusals = number = 0
        with Index.create(disk / "index", encoder="bm25") as index:
            for _ in range(rounds):
                while True:
                    try:
                        index.add(_batch(number))
                    except DiskFullError:
                        refusals += 1
                        break
                    committed.add(number)
                    number += 1
                require(index.search("common", k=5).hits, "reading ended when the disk was full")
                require(len(index) == 100 * len(committed), "the count moved")
                for gone in sorted(committed)[: len(committed) // 2]:
                    try:
                        index.delete(filter={"batch": gone})
                    except DiskFullError:
                        _make_room(disk)
                        index.delete(filter={"batch": gone})
                    committed.discard(gone)
                number += 1
                index.add(_batch(number))
                committed.add(number)
                number += 1
        (disk / "ballast").unlink(missing_ok=True)
        report = check_index(disk / "index")
        require(report.sound and report.documents == 100 * len(committed), f"after full disks: {report}")
        return {
            "rounds": rounds,
            "refusals": refusals,
            "documents": report.documents,
            "resumed_without_reopening": True,
        }


def _make_room(disk: Path) -> None:
    """An administrator's part: a file that fills the disk goes, here by growing the disk by a quarter."""
    size = shutil.disk_usage(disk).total * 5 // 4
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def little_memory(extra_megabytes: int) -> dict[str, Any]:
    """Requests beyond the memory that a process may have: an error or an answer, and a sound index."""
    with scratch() as place:
        warm_up(place)
        folder = place / "index"
        with Index.create(folder, encoder="bm25") as index:
            index.add([document(f"d{n}", 1) for n in range(2000)])
        outcomes = place / "outcomes"

        def work() -> None:
            size = int(next(x for x in Path("/proc/self/status").read_text().split("\n") if "VmSize" in x).split()[1])
            limit = (size << 10) + (extra_megabytes << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            told = []
            with Index.open(folder, writable=True) as index:
                cases: dict[str, Callable[[], object]] = {
                    "huge_document": lambda: index.add([Document("huge", "word " * (24 << 20))]),
                    "huge_batch": lambda: index.add([Document(f"h{n}", "many words " * 60) for n in range(400_000)]),
                    "huge_k": lambda: index.search("common", k=10**6),
                    "huge_query": lambda: index.search("common " * 2_000_000),
                    "many_ids": lambda: index.delete([f"x{n}" for n in range(500_000)]),
                }
                for name, case in cases.items():
                    try:
                        case()
                        told.append(f"{name} answered")
                    except (LsrError, MemoryError) as error:
                        told.append(f"{name} {type(error).__name__}")
                index.add([document("after", 1)])
                require(index.document("after").id == "after", "writing ended")
            outcomes.write_text("\n".join(told))

        status = fork_and_wait(work)
        require(status == 0, f"the process ended with {status}")
        require(check_index(folder).sound, "not sound after little memory")
        return dict(line.split(" ") for line in outcomes.read_text().splitlines())
