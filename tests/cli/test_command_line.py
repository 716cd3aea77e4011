"""The command as a whole: help, version, usage errors, exit codes, what goes to which stream."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_help import PATIENCE_SECONDS, PLAIN, lsr, pets_index, process

import lsr as package

VERBS = (
    *("index", "search", "serve", "eval", "eval compare", "eval explain", "eval vocabulary", "datasets"),
    *("datasets get", "info", "check", "demo"),
)


def documentation(verb: str) -> str:
    """What a verb's module says of it; `eval compare` is the module eval_compare."""
    text: str = importlib.import_module(f"lsr.cli.{verb.replace(' ', '_')}").run.__doc__
    return text


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_verb_with_one_line(option: str) -> None:
    outcome = lsr(option)
    assert outcome.code == 0
    for verb in VERBS:
        first = documentation(verb).splitlines()[0]
        (line,) = [line for line in outcome.out.splitlines() if line.startswith(f"│ {verb}  ")]
        assert first in line


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself(verb: str) -> None:
    outcome = lsr(*verb.split(), "--help")
    assert outcome.code == 0
    assert f"Usage: lsr {verb}" in outcome.out
    for paragraph in documentation(verb).split("\n\n"):
        assert " ".join(paragraph.split())[:100] in " ".join(outcome.out.split())
    assert "\x1b" not in outcome.out


def test_the_version() -> None:
    assert lsr("--version").out == f"lsr {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Usage: lsr"),
        (("serach", "x", "y"), "No such command 'serach'"),
        (("search", "x"), "Missing argument 'QUERY'"),
        (("search", "x", "y", "--josn"), "No such option: --josn"),
        (("search", "x", "y", "-k", "many"), "'--k'"),
        (("index", "x"), "Missing option '--to'"),
        (("index", "x", "--to", "y", "--on-error", "explode"), "'--on-error'"),
        (("serve", "x", "--port", "99999"), "'--port'"),
        (("info",), "Missing argument 'DIR'"),
    ],
)
def test_usage_errors_exit_with_2_and_name_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    outcome = lsr(*arguments)
    assert outcome.code == 2
    assert message in outcome.out + outcome.err


def test_a_process_of_its_own(tmp_path: Path) -> None:
    path = pets_index(tmp_path)
    done = process("search", path, "dog")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert done.stdout.decode().startswith(" 1. Dog  dog  ")
    done = process("search", path, "dog", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert [hit["id"] for hit in json.loads(done.stdout)["hits"]] == ["dog", "bird"]
    done = process("search", tmp_path / "nowhere", "dog", "--json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"nowhere is not an index" in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize("encoder", ["bm25", "splade-tiny-doc"])
def test_a_cold_search_loads_nothing_heavy(tmp_path: Path, encoder: str) -> None:
    path = pets_index(tmp_path, encoder)
    code = (
        f"import sys; sys.argv = ['lsr', 'search', {str(path)!r}, 'a dog that barks', '--explain']\n"
        "from lsr.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('', *{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS, env=PLAIN
    )
    assert "Dog" in done.stdout
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "rich" in loaded
    assert not loaded & {"numba", "onnxruntime", "torch", "transformers", "scipy", "fastapi", "pyarrow"}


@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_reader_that_has_seen_enough_sees_no_traceback(tmp_path: Path, json_wanted: bool) -> None:
    path = pets_index(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lsr.cli", "search", str(path), "dog", *(["--json"] if json_wanted else [])]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=PATIENCE_SECONDS, env=PLAIN
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


def test_an_output_that_cannot_hold_every_character_gets_escapes(tmp_path: Path) -> None:
    source = tmp_path / "one.jsonl"
    source.write_text('{"_id": "Ü/文書/😀", "text": "a dog … and 😀"}\n')
    assert lsr("index", source, "--to", tmp_path / "index", "--encoder", "bm25").code == 0
    ascii_only = {**PLAIN, "PYTHONIOENCODING": "ascii"}
    done = process("search", tmp_path / "index", "dog", "--explain", environment=ascii_only)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\xdc/\\u6587\\u66f8/\\U0001f600" in done.stdout
    done = process("search", tmp_path / "index", "dog", "--json", environment=ascii_only)
    assert (done.returncode, done.stderr) == (0, b"")
    (hit,) = json.loads(done.stdout)["hits"]
    assert (hit["id"], hit["text"]) == ("Ü/文書/😀", "a dog … and 😀")
