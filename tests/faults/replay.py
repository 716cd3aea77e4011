"""R4: what a power cut may leave. Every prefix of the writer's calls, with what was not flushed lost, torn or zeroed.

The calls are recorded by strace from the script of `script.py`. A model of a file system keeps for each file what is on
the device and what is only written, and for each folder which names are on the device. At each prefix the device is
put together anew in several ways, and the index must be in the state before or after.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.common import counted, require, scratch, warm_up
from faults.script import judge, prepare, worlds
from faults.syscalls import traced

CALLS = "openat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,link,unlink,symlink,close,dup"
_LINE = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)", re.DOTALL)
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$", re.DOTALL)
_FD = re.compile(r"^(\d+)<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')

#: What may have become of data that was not flushed, and of names; `mixed` draws for each write.
WAYS = ("lost", "kept", "names_only", "zeros", "torn", *["mixed"] * 5)


@dataclass(eq=False)
class Inode:
    """A file: bytes on the device, and writes `(offset, data)` or cuts `(size, None)` that are not there yet."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    link: str = ""


@dataclass
class Device:
    """Names and files, as the system shows them and as they are on the device."""

    shown: dict[str, Inode]
    durable: dict[str, Inode]
    changes: list[tuple[tuple[str, Inode | None], ...]] = field(default_factory=list)

    def change(self, *names: tuple[str, Inode | None]) -> None:
        self.changes.append(names)
        _put(self.shown, names)

    def sync_folder(self, folder: str) -> None:
        waiting = []
        for names in self.changes:
            if any(os.path.dirname(path) == folder for path, _ in names):
                _put(self.durable, names)
            else:
                waiting.append(names)
        self.changes = waiting


def _put(names: dict[str, Inode], change: tuple[tuple[str, Inode | None], ...]) -> None:
    for path, inode in change:
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _apply(data: bytes, pending: list[tuple[int, bytes | None]]) -> bytes:
    if not pending:
        return data
    content = bytearray(data)
    for place, written in pending:
        if written is None:
            content = content[:place].ljust(place, b"\0")
        else:
            content = content.ljust(place, b"\0")
            content[place : place + len(written)] = written
    return bytes(content)


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def record(place: Path) -> list[tuple[str, str, list[bytes], int]]:
    """The calls of the script: name, raw arguments, those that are texts, result."""
    log = place.with_name("log")
    told, status = traced(place, ["-y", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-o", str(log)])
    require(status == 0 and told.count(".") == len(worlds()) - 1, f"the script does not run by itself: {told}")
    calls = []
    for line in _whole(log.read_text().splitlines()):
        if (match := _LINE.match(line)) and int(match[3]) >= 0:
            texts = [_plain(text) for text in _TEXT.findall(match[2])]
            calls.append((match[1], match[2], texts, int(match[3])))
    return calls


def _whole(lines: list[str]) -> Iterator[str]:
    """Lines of the record; a call that another thread's interrupted stands whole, where it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, rest = line.partition(" ")
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
        elif (resumed := _RESUMED.match(rest.lstrip())) is not None:
            yield begun.pop(thread, thread + " ") + resumed[1]
        else:
            yield line


class Player:
    """Plays recorded calls on a `Device`."""

    def __init__(self, root: Path, device: Device) -> None:
        self.device = device
        self.done = 0
        self._root = str(root) + "/"
        self._files: dict[int, Inode] = {}
        self._places: dict[int, int] = {}

    def _name(self, path: bytes) -> str | None:
        text = path.decode()
        inside = text.startswith(self._root) and not text.endswith("-shm")
        return text.removeprefix(self._root) if inside else None

    def play(self, call: tuple[str, str, list[bytes], int]) -> bool:
        """True where the call has changed something that a power cut could tell."""
        name, raw, texts, result = call
        descriptor = _FD.match(raw)
        fd = int(descriptor[1]) if descriptor else -1
        match name:
            case "openat":
                return self._open(texts[0], raw, result)
            case "close":
                self._files.pop(fd, None)
            case "dup":
                if fd in self._files:
                    self._files[result], self._places[result] = self._files[fd], self._places[fd]
            case "lseek":
                self._places[fd] = result
            case "write" | "pwrite64":
                return self._write(name, fd, raw, texts[-1], result)
            case "ftruncate":
                if fd in self._files:
                    self._files[fd].pending.append((int(raw.rsplit(", ", 1)[1]), None))
                    return True
            case "fsync" | "fdatasync":
                assert descriptor is not None
                return self._sync(fd, descriptor[2])
            case "rename" | "link" | "unlink" | "symlink":
                return self._names(name, texts)
        return False

    def _open(self, path: bytes, raw: str, result: int) -> bool:
        name = self._name(path)
        self._files.pop(result, None)
        if name is None:
            return False
        changed = False
        if name not in self.device.shown and "O_CREAT" in raw:
            self.device.change((name, Inode()))
            changed = True
        if name in self.device.shown:
            inode = self._files[result] = self.device.shown[name]
            self._places[result] = 0
            if "O_TRUNC" in raw:
                inode.pending.append((0, None))
                changed = True
        return changed

    def _write(self, name: str, fd: int, raw: str, data: bytes, result: int) -> bool:
        if fd not in self._files:
            self.done += data == b".\n"
            return False
        place = int(raw.rsplit(", ", 1)[1]) if name == "pwrite64" else self._places[fd]
        self._files[fd].pending.append((place, data[:result]))
        if name == "write":
            self._places[fd] = place + result
        return True

    def _sync(self, fd: int, path: str) -> bool:
        if (inode := self._files.get(fd)) is not None:
            inode.durable, inode.pending = _apply(inode.durable, inode.pending), []
        elif (name := self._name(_plain(path) + b"/")) is not None:
            self.device.sync_folder(name.rstrip("/"))
        return True

    def _names(self, name: str, texts: list[bytes]) -> bool:
        old, new = self._name(texts[0]), self._name(texts[-1])
        shown = self.device.shown
        if name == "unlink" and old in shown:
            self.device.change((str(old), None))
        elif name == "rename" and old in shown:
            self.device.change((str(old), None), (str(new), shown[str(old)]))
        elif name == "link" and old in shown:
            self.device.change((str(new), shown[str(old)]))
        elif name == "symlink":
            self.device.change((str(new), Inode(link=texts[0].decode())))
        else:
            return False
        return True


def _survivors(way: str, inode: Inode, rng: random.Random) -> list[tuple[int, bytes | None]]:
    """What of a file's unflushed changes has reached the device."""
    pending = inode.pending
    if way in ("lost", "names_only"):
        return []
    if way == "zeros":
        return [(place, data if data is None else bytes(len(data))) for place, data in pending]
    if way == "torn" and pending:
        place, data = pending[-1]
        return [*pending[:-1], *([] if data is None else [(place, data[: len(data) // 2])])]
    if way == "mixed":
        result: list[tuple[int, bytes | None]] = []
        for place, data in pending:
            fate = rng.randrange(4)
            if fate == 1 and data is not None:
                result.append((place, bytes(len(data))))
            elif fate == 2 and data is not None:
                result.append((place, data[: len(data) // 2]))
            elif fate == 3:
                result.append((place, data))
        return result
    return pending


def _image(device: Device, way: str, rng: random.Random) -> dict[str, tuple[bytes, str]]:
    """The device after the cut: for each name, its bytes or where it links to."""
    names = dict(device.durable)
    many = {"lost": 0, "mixed": rng.randint(0, len(device.changes))}.get(way, len(device.changes))
    for change in device.changes[:many]:
        _put(names, change)
    return {name: (_apply(i.durable, _survivors(way, i, rng)), i.link) for name, i in sorted(names.items())}


def images(place: Path, root: Path, seed: int) -> Iterator[tuple[int, str, int, dict[str, tuple[bytes, str]]]]:
    """Every state: number of the call, way, acknowledged steps, image."""
    rng = random.Random(seed)
    base: dict[str, Inode] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            base[str(path.relative_to(root))] = Inode(link=os.readlink(path))
        elif path.is_file() and not path.name.endswith("-shm"):
            base[str(path.relative_to(root))] = Inode(path.read_bytes())
    player = Player(place, Device(dict(base), dict(base)))
    for number, call in enumerate(record(place)):
        if player.play(call):
            for way in WAYS:
                yield number, way, player.done, _image(player.device, way, rng)
    require(player.done == len(worlds()) - 1, "the record is not complete")


def run(limit: int, seed: int = 4) -> dict[str, Any]:
    """Replay all states, or `limit` of them chosen at random."""
    outcomes: Counter[str] = Counter()
    rng = random.Random(seed)
    with scratch() as root:
        warm_up(root)
        template = root / "template"
        prepare(template)
        shutil.copytree(template, root / "played", symlinks=True)
        every = list(images(root / "played", template, seed))
        chosen = every if limit >= len(every) else sorted(rng.sample(every, limit), key=lambda each: each[0])
        distinct = set()
        for number, way, done, image in chosen:
            digest = hashlib.sha1(repr((done, image)).encode()).digest()
            if digest in distinct:
                outcomes["the_same_again"] += 1
                continue
            distinct.add(digest)
            place = root / "state"
            for name, (data, link) in image.items():
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if link:
                    path.symlink_to(link)
                else:
                    path.write_bytes(data)
            for name in ("index", "other"):
                (place / name / "segments").mkdir(parents=True, exist_ok=True)
            outcomes[judge(place, done, what=f"power cut after call {number}, {way}")] += 1
            shutil.rmtree(place)
    return {"states": len(chosen), "distinct": len(distinct), "outcomes": counted(outcomes), "neither": 0}
