"""Runs the command line, in this process or in one of its own, and makes small sources for it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lsr.cli.__main__ import main
from lsr.index.compile import load_build_kernels, load_kernels

#: How long a process may take; only a bound, never measured.
PATIENCE_SECONDS = 240.0

#: The environment without what makes rich and typer colour a pipe, and wide enough that no message is folded.
PLAIN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
} | {"COLUMNS": "200", "TERMINAL_WIDTH": "200", "TERM": "xterm"}

TEXTS = {
    "cat": "The cat sleeps on the warm windowsill all afternoon.",
    "dog": "A dog barks at the postman; the cat does not care.",
    "fish": "Fish live in water and cannot bark.",
    "bird": "Birds sing in the morning, long before the dog wakes.",
}


@cache
def compile_kernels() -> None:
    """Once, so that no command says that it does: standard error is compared."""
    load_kernels()
    load_build_kernels()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.out)


def lsr(*arguments: str | Path) -> Outcome:
    """`lsr …` in this process, as the console script runs it, its streams caught."""
    compile_kernels()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch.object(sys, "argv", ["lsr", *map(str, arguments)]),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        patch.dict(os.environ, PLAIN, clear=True),
    ):
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Outcome(int(str(code or 0)), *(_text(stream) for stream in (out, err)))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def refused(*arguments: str | Path) -> str:
    """The error of a command that must exit with 1, say one thing on standard error and nothing on standard output."""
    outcome = lsr(*arguments)
    assert outcome.code == 1, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    return outcome.err


def process(
    *arguments: str | Path, input: bytes | None = None, environment: Mapping[str, str] = PLAIN
) -> subprocess.CompletedProcess[bytes]:
    """`python -m lsr.cli …`, a real process."""
    compile_kernels()
    command = [sys.executable, "-m", "lsr.cli", *map(str, arguments)]
    return subprocess.run(
        command, input=input, capture_output=True, check=False, timeout=PATIENCE_SECONDS, env=dict(environment)
    )


def write_jsonl(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return path


def pets(folder: Path) -> Path:
    """A source of the four documents of `TEXTS`."""
    return write_jsonl(folder / "pets.jsonl", [{"_id": id, "title": id.title(), "text": TEXTS[id]} for id in TEXTS])


def pets_index(folder: Path, encoder: str = "bm25") -> Path:
    """An index of them, made by the command line."""
    outcome = lsr("index", pets(folder), "--to", folder / "pets", "--encoder", encoder)
    assert outcome.code == 0, outcome
    return folder / "pets"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own with little room; skips the test where none can be mounted."""
    folder.mkdir()
    if os.geteuid() != 0 or mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def mount(*arguments: str) -> int:
    """The exit status of `mount …`."""
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode
