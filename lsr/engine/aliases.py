"""Aliases: names of indexes that can be pointed elsewhere in one step, for reindexing without a pause.

An alias is a symbolic link. Whoever opens it opens the index that it leads to and keeps that one (`Index.folder`) until
it is closed; `Index.moved` tells that the alias leads elsewhere by now, and the service follows by itself.
"""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from lsr.errors import AliasError
from lsr.index.files import sync_folder
from lsr.store.durable import named_refusals
from lsr.store.store import Store


def set_alias(alias: str | PathLike[str], index: str | PathLike[str]) -> Path:
    """Let `alias` lead to `index`, from the index that it may lead to now: at any moment it is the one or the other.

    Returns where it led before, or the index itself where the alias is new.

    Raises
    ------
    AliasError
        `alias` is there and is no alias, or would lead to itself.
    NotAnIndexError, FormatVersionError, CorruptionError
        `index` cannot be opened.
    """
    link, target = Path(alias), Path(index).resolve()
    if os.path.lexists(link) and not link.is_symlink():
        raise AliasError(f"{link} is no alias but a real file or folder", remedy="choose another name for the alias")
    if link.parent.resolve() / link.name == target:
        raise AliasError(f"{link} would lead to itself", remedy="name the index's own folder")
    Store(target, write=False).close()
    before = link.resolve() if link.is_symlink() else target
    with named_refusals(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{link.name}.{os.getpid()}.alias")
        temporary.unlink(missing_ok=True)
        os.symlink(os.path.relpath(target, link.parent.resolve()), temporary)
        try:
            os.replace(temporary, link)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(link.parent)
    return before


def remove_alias(alias: str | PathLike[str]) -> None:
    """Remove the alias; the index that it leads to stays. Raises `AliasError` where it is none."""
    link = Path(alias)
    if not link.is_symlink():
        raise AliasError(f"{link} is no alias")
    with named_refusals(link):
        link.unlink()
        sync_folder(link.parent)


def list_aliases(folder: str | PathLike[str]) -> dict[str, Path]:
    """The aliases in a folder by name, and where each leads, whether or not something is there."""
    if not Path(folder).is_dir():
        raise AliasError(f"{folder} is no folder", remedy="name the folder that the aliases lie in")
    links = sorted(Path(folder).iterdir())
    return {link.name: link.resolve() for link in links if link.is_symlink() and not link.name.startswith(".")}
