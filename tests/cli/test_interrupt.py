"""Ctrl-C during `lsr index` and `lsr train`: what is there is valid, and the same command goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest
from cli_help import PATIENCE_SECONDS, PLAIN, compile_kernels, lsr, write_jsonl
from training_help import write_recipe

from lsr import Document, Index
from lsr.errors import NotAnIndexError
from lsr.store.store import Store
from lsr.training.checkpoints import last_complete

#: `lsr` that can be interrupted even where the tests run in the background of a shell, which would ignore SIGINT.
STARTER = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom lsr.cli.__main__ import main\nmain()"
)

WORDS = ("river", "stone", "bridge", "winter", "engine", "harvest", "copper", "signal", "garden", "letter", "market")


def start(*arguments: str | Path, stdin: int | None = None) -> subprocess.Popen[str]:
    compile_kernels()
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=PLAIN,
    )


def wait_for_commit(path: Path, running: subprocess.Popen[str]) -> None:
    """Until the index has documents; at most `PATIENCE_SECONDS`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while running.poll() is None and time.monotonic() < end:
        try:
            store = Store(path, write=False)
        except NotAnIndexError:
            time.sleep(0.02)
            continue
        generation = store.state().generation
        store.close()
        if generation:
            return
        time.sleep(0.02)
    running.kill()
    raise AssertionError(f"no commit came: {running.communicate()}")


def test_an_interrupted_run_is_continued(tmp_path: Path) -> None:
    choice = random.Random(7)
    rows = [{"_id": str(n), "text": " ".join(choice.choices(WORDS, k=20))} for n in range(2000)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    to = tmp_path / "index"
    command = ("index", source, "--to", to, "--encoder", "splade-tiny-doc", "--json")

    running = start(*command)
    wait_for_commit(to, running)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130
    assert out == ""

    checked = lsr("check", to, "--json").json
    assert checked["sound"]
    committed = checked["documents"]
    assert 0 < committed < 2000
    assert err == f"Stopped: {to} is valid and holds {committed:,} documents. The same command continues.\n"
    hits = lsr("search", to, "stone bridge", "--json").json["hits"]
    assert len(hits) == 10

    report = lsr(*command).json
    assert (report["documents"], report["read"], report["unchanged"]) == (2000, 2000, committed)
    assert lsr("check", to).out == f"{to}: sound, 2,000 documents in 1 segment\n"


def test_an_interrupt_while_waiting_for_documents(tmp_path: Path) -> None:
    """Standard input that has not ended: what came is committed batch by batch, the rest is not there."""
    to = tmp_path / "index"
    running = start("index", "-", "--to", to, "--encoder", "bm25", stdin=subprocess.PIPE)
    assert running.stdin is not None
    rows = [json.dumps({"_id": str(n), "text": f"word{n} " + "filler " * 80}) for n in range(300)]
    running.stdin.write("\n".join(rows) + "\n")
    running.stdin.flush()
    wait_for_commit(to, running)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)
    assert (running.returncode, out) == (130, "")
    assert err == f"Stopped: {to} is valid and holds 256 documents. The same command continues.\n"
    assert lsr("check", to).out == f"{to}: sound, 256 documents in 1 segment\n"


def test_an_interrupt_before_the_first_commit_leaves_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    running = start("index", pipe, "--to", tmp_path / "index")
    writing = os.open(pipe, os.O_WRONLY)  # waits until it is being read
    os.write(writing, b'{"_id": "1", "text": "a dog"}\n')
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)
    os.close(writing)
    assert (running.returncode, out, err) == (130, "", "")
    assert not (tmp_path / "index").exists()


class _LateInterrupt:
    """A connection on which Ctrl-C is pressed during a commit, whose fsync is long: Python tells of it right after."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._db.execute(sql, *values)
        if sql == "COMMIT":
            raise KeyboardInterrupt
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def test_an_interrupt_during_the_commit_takes_nothing_away(tmp_path: Path) -> None:
    """It used to remove the segment that had just been committed."""
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add([Document("1", "a dog")])
        store = cast(Any, index)._writer._store
        real, store._db = store._db, _LateInterrupt(store._db)
        with pytest.raises(KeyboardInterrupt):
            index.add([Document("2", "a cat")])
        store._db = real
        assert len(index) == 2
    assert lsr("check", tmp_path / "index").out == f"{tmp_path}/index: sound, 2 documents in 2 segments\n"


def test_an_interrupted_training_says_how_to_go_on(tmp_path: Path) -> None:
    command = ("train", write_recipe(tmp_path, steps=5000), "--device", "cpu")
    running = start(*command)
    end = time.monotonic() + PATIENCE_SECONDS
    while last_complete(tmp_path / "run") is None and running.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130
    assert out == ""
    assert err.endswith("Stopped: the same command goes on from the last whole checkpoint.\n")
    assert "Traceback" not in err
