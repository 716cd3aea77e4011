"""A folder that has its name only once it is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsr.errors import InvalidSettingError


def check_new(target: Path) -> None:
    """Refuse a place where something is.

    Raises
    ------
    InvalidSettingError
        It is a file, or a folder with something in it.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidSettingError(f"{target} is not empty", remedy="Name a new folder")


@contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder beside `target`, which takes its place at the end, or is gone after an error.

    Parameters
    ----------
    target : Path
    replace : bool
        What is there may be replaced; it stays until then.

    Raises
    ------
    InvalidSettingError
        As `check_new`, unless `replace`.
    """
    if not replace:
        check_new(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        yield made
        if target.exists() and replace:
            os.replace(target, Path(scratch) / "before")
        elif target.exists():
            target.rmdir()
        os.replace(made, target)
