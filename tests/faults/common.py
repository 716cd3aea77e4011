"""What the fault suite shares: documents that say what they are, and what an index must show of them.

A document is a function of its id and a version, so that whatever is read back can be compared with what was written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from lsr import Document, Index, check_index

#: The version of each document that is there, by id.
Content = dict[str, int]


class FaultFound(AssertionError):
    """The index has done what it must never do."""


def require(condition: object, message: str) -> None:
    if not condition:
        raise FaultFound(message)


def word(id: str, version: int) -> str:
    """A word that no other document, and no other version, has."""
    return "w" + hashlib.sha1(f"{id}/{version}".encode()).hexdigest()[:12]


def document(id: str, version: int) -> Document:
    """The document of that id and version; a patch of its metadata alone makes no other version."""
    return Document(id, f"common text {word(id, version)}", metadata={"version": version})


def content_of(index: Index) -> Content:
    """Every document of the index by id; each is what it should be and can be found by its word."""
    content = {}
    with index.snapshot() as snapshot:
        documents = list(snapshot.all_documents())
        require(len(documents) == snapshot.state.documents, "the count of documents is another than their number")
    for each in documents:
        version = int(each.metadata["version"])  # type: ignore[arg-type]
        require(each.text == document(each.id, version).text, f"{each.id!r} has a text that nobody wrote")
        content[each.id] = version
    found = index.search_batch([word(*item) for item in content.items()], k=5) if content else []
    for id, hits in zip(content, found, strict=True):
        require([hit[0] for hit in hits] == [id], f"searching for {id!r} finds {hits}")
    return content


def recovered(folder: Path, **options: Any) -> Content:
    """The content of an index after whatever happened to it: sound, and taken over by a writer without any repair."""
    report = check_index(folder)
    require(report.sound, f"not sound: {report.problems}")
    with Index.open(folder, writable=True, **options) as index:
        content = content_of(index)
        index.add([document("after", 1)])
        require(content_of(index) == {**content, "after": 1}, "writing after recovery")
        index.delete(["after"])
    with Index.open(folder, **options) as reader:
        require(content_of(reader) == content, "a reader sees something else")
    return content


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed afterwards; on memory where there is some, since fsync is not what is measured."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 30 else None
    folder = Path(tempfile.mkdtemp(prefix="lsr-faults-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child that ends with it, by exit code 0, or by 1 where it raises; the child's process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: the child makes its own
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(BaseException):
            os.write(2, b"")
        os._exit(code)


def fork_and_wait(work: Callable[[], None]) -> int:
    """The wait status of `fork`'s child."""
    return os.waitpid(fork(work), 0)[1]


def warm_up(folder: Path) -> None:
    """Load what an index needs, so that children have it when they are forked."""
    from lsr.index.compile import load_build_kernels, load_kernels

    load_kernels()
    load_build_kernels()
    with Index.create(folder / "warm-up", encoder="bm25") as index:
        index.add([document("a", 1)])
        content_of(index)
        index.optimize()
    shutil.rmtree(folder / "warm-up")


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else 0.0


def counted(outcomes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(outcomes.items()))
