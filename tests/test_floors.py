"""The house's plan holds: a room imports only from lower floors, and searching loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lsr"

#: Rooms by floor, the lowest first.
FLOORS = [
    {"errors", "documents", "vectors"},
    {"text", "index"},
    {"encoders", "dense", "store", "fusion", "sources"},
    {"engine", "interchange"},
    {"eval", "bulk"},
    {"training"},
    {"service", "cluster"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Rooms of lsr that a file imports anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("lsr.")}
    return rooms


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_lower_floors(path: Path) -> None:
    room = _room(path)
    for other in _imports(path) - {room}:
        same_ground = LEVEL[room] == LEVEL[other] == 0
        assert same_ground or LEVEL[other] < LEVEL[room], f"{path} of {room} imports from {other}"


def _modules_after(code: str) -> set[str]:
    """Top-level modules that are loaded once `code` ran in a fresh interpreter."""
    tell = "import sys; print('', *{name.split('.')[0] for name in sys.modules}, sep=' ', file=sys.stderr)"
    script = f"{code}\n{tell}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=240)
    return set(done.stderr.splitlines()[-1].split())


def test_importing_lsr_loads_next_to_nothing() -> None:
    assert not _modules_after("import lsr") & {"numpy", "numba", "torch", "transformers", "onnxruntime", "typer"}


def test_help_loads_no_engine() -> None:
    code = (
        "import sys; sys.argv = ['lsr', '--help']\n"
        "from lsr.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
    )
    assert not _modules_after(code) & {"numpy", "numba", "torch", "transformers", "onnxruntime", "fastapi"}


def test_an_inference_free_search_loads_no_model(tmp_path: Path) -> None:
    from lsr import Document, Index

    with Index.create(tmp_path / "index", encoder="splade-tiny-doc") as index:
        index.add([Document("1", "whales are the largest animals")])
    code = f"from lsr import Index\nassert Index.open({str(tmp_path / 'index')!r}).search('largest whales').hits"
    assert not _modules_after(code) & {"torch", "transformers", "onnxruntime", "pandas"}
