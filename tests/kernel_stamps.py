"""Which sources are compiled into which kernels, said in each kernel module by a line that this script writes.

numba's cache knows the file of a kernel, but not the files of what the kernel calls or of the numbers that it takes in.
A change there must therefore change the kernel's own file, or an old compilation would be used after an upgrade.

    python tests/kernel_stamps.py     # write the lines anew
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import xxhash

ROOM = Path(__file__).resolve().parents[1] / "lsr" / "index"
_LINE = re.compile(r"(?:^# Compiled in: .*\n)+", re.MULTILINE)
#: Sources named in one line.
_WIDE = 4


def kernel_modules() -> list[Path]:
    """Modules with kernels, each after those that it takes in."""
    found = {path.name: path for path in ROOM.glob("*kernels.py")}
    ordered: list[Path] = []

    def visit(path: Path) -> None:
        if path not in ordered:
            for source in _sources(path):
                if source.name in found:
                    visit(source)
            ordered.append(path)

    for path in sorted(found.values()):
        visit(path)
    return ordered


def _sources(path: Path) -> list[Path]:
    """The modules of the room that a module takes in."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lsr.index"):
            inside = node.module.removeprefix("lsr.index").strip(".")
            names |= {inside} if inside else {alias.name for alias in node.names}
    return sorted(ROOM / f"{name}.py" for name in names)


def line_for(path: Path) -> str:
    """The line, or lines, that a kernel module ought to hold; empty where it takes nothing in."""
    parts = [f"{source.name} {xxhash.xxh3_64_hexdigest(source.read_bytes())[:8]}" for source in _sources(path)]
    return "".join(f"# Compiled in: {', '.join(parts[at : at + _WIDE])}\n" for at in range(0, len(parts), _WIDE))


def line_in(path: Path) -> str:
    """The line that it holds."""
    found = _LINE.search(path.read_text())
    return found.group() if found else ""


def stamp(path: Path) -> None:
    """Write the line anew, before the first import, where it is another."""
    if line_in(path) != line_for(path):
        head, rest = _LINE.sub("", path.read_text()).split("from __future__ import annotations\n\n", 1)
        path.write_text(f"{head}from __future__ import annotations\n\n{line_for(path)}{rest.lstrip()}")


if __name__ == "__main__":
    for module in kernel_modules():
        stamp(module)
