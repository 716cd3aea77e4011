"""One writer's life in a few steps, each atomic: what R2, R3 and R4 interrupt, and what must be there afterwards.

Everything happens in one thread, merging too, so that the N-th system call is the same in every run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults.common import Content, FaultFound, content_of, document, recovered, require
from lsr import Index
from lsr.engine import merger, merging
from lsr.engine.aliases import set_alias
from lsr.engine.archive import create_snapshot, restore_snapshot


@dataclass(frozen=True)
class World:
    """What a user sees: the index's documents, where the alias leads, and what the archive holds."""

    content: tuple[tuple[str, int], ...]
    alias: str
    archive: tuple[tuple[str, int], ...] | None


def prepare(place: Path) -> None:
    """The index, a second one for the alias, and the alias, as they are before the first step."""
    for name, ids in (("index", range(6)), ("other", range(3))):
        with Index.create(place / name, encoder="bm25") as index:
            index._merger.wake = lambda: None  # type: ignore[method-assign, union-attr]
            for number in ids:
                index.add([document(f"{name}{number}", 1)])
    set_alias(place / "alias", place / "index")


#: Steps that change the index itself.
WRITES = ("add", "delete", "patch", "merge", "optimize", "checkpoint")


class _NoIndex:
    """Stands for an index where the steps are only to be named."""

    def __getattr__(self, name: str) -> Any:
        return self


def _steps(place: Path, index: Index) -> list[tuple[str, Callable[[], Any], Callable[[World], World]]]:
    def put(**versions: int) -> tuple[str, Callable[[], Any], Callable[[World], World]]:
        def after(world: World) -> World:
            return replace(world, content=tuple(sorted({**dict(world.content), **versions}.items())))

        return "add", lambda: index.add([document(*item) for item in versions.items()]), after

    def drop(*ids: str) -> tuple[str, Callable[[], Any], Callable[[World], World]]:
        def after(world: World) -> World:
            return replace(world, content=tuple(item for item in world.content if item[0] not in ids))

        return "delete", lambda: index.delete(ids), after

    def same(world: World) -> World:
        return world

    return [
        put(a=1, b=1, c=1),
        put(a=2, d=1),
        drop("b", "index2"),
        ("patch", lambda: index.patch({"c": {"note": "seen"}}), same),
        ("merge", lambda: _merge(index), same),
        ("snapshot", lambda: _archive(place), lambda world: replace(world, archive=world.content)),
        ("alias", lambda: set_alias(place / "alias", place / "other"), lambda world: replace(world, alias="other")),
        put(e=1),
        ("optimize", index.optimize, same),
        ("checkpoint", index._writer.checkpoint, same),  # type: ignore[union-attr]
        put(a=3),
    ]


def _archive(place: Path) -> None:
    create_snapshot(place / "index", place / "archive.lsr.tar")


def _merge(index: Index) -> None:
    merging.FANOUT, merger.LOG_BYTES, merger.QUIET = 3, 0, 0.0
    try:
        index._merger._work()  # type: ignore[union-attr]
    finally:
        merging.FANOUT, merger.LOG_BYTES, merger.QUIET = 4, 16 << 20, 0.5


def worlds() -> list[World]:
    """The world before the first step, and after each."""
    content = tuple((f"index{number}", 1) for number in range(6))
    result = [World(content, "index", None)]
    for _, _, after in _steps(Path(), _NoIndex()):  # type: ignore[arg-type]
        result.append(after(result[-1]))
    return result


def step_name(number: int) -> str:
    """What kind of step that is."""
    return _steps(Path(), _NoIndex())[number][0]  # type: ignore[arg-type]


def tell(told: int, what: str) -> None:
    """One line to whoever watches; a second time where the fault met this very write."""
    try:
        os.write(told, f"{what}\n".encode())
    except OSError:
        os.write(told, f"{what}\n".encode())


def play(place: Path, told: int) -> None:
    """Take the steps and tell of each, a line each to `told`: `.`, or `!` and the error, then what came of it."""
    try:
        index = Index.open(place / "index", writable=True)
    except Exception as error:  # it could not even be opened: the device fails at reading too
        tell(told, f"!{type(error).__name__}\no")
        return
    with index:
        index._merger.wake = lambda: None  # type: ignore[method-assign, union-attr]
        for _, step, _ in _steps(place, index):
            try:
                step()
            except Exception as error:
                tell(told, f"!{type(error).__name__}")
                _after_an_error(index, told)
                return
            tell(told, ".")


def _after_an_error(index: Index, told: int) -> None:
    """What the writer does with one more document after an error, and whether it can still be searched."""
    try:
        index.add([document("late", 1)])
        tell(told, "+")
    except Exception as error:
        tell(told, f"-{type(error).__name__}")
    index.search("common")
    tell(told, "s")


def look(place: Path) -> World:
    """The world as it is, each part of it sound and usable; leavings are in nobody's way."""
    content = recovered(place / "index")
    with Index.open(place / "alias") as index:
        alias = index.folder.name
        content_of(index)
    archive = place / "archive.lsr.tar"
    archived: Content | None = None
    if archive.exists():
        restore_snapshot(archive, place / "restored")
        archived = recovered(place / "restored")
        shutil.rmtree(place / "restored")
    held = None if archived is None else tuple(sorted(archived.items()))
    return World(tuple(sorted(content.items())), alias, held)


def judge(place: Path, done: int, *, late: bool = False, what: str = "") -> str:
    """`before` or `after`: which state of the step that was interrupted after `done` acknowledged ones is there.

    `late`: a document more was acknowledged after the interruption.
    """
    found = look(place)
    if late:
        require(("late", 1) in found.content, f"{what}: acknowledged after an error, and lost")
    found = replace(found, content=tuple(item for item in found.content if item[0] != "late"))
    known = worlds()
    if found == known[done]:
        return "before"
    if done + 1 < len(known) and found == known[done + 1]:
        return "after"
    raise FaultFound(f"{what}: after {done} steps the world is {found}, neither {known[done]} nor the next")
