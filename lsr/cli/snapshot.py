"""Copies of an index in one file: consistent while it is written, restored whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lsr.engine.archive import SnapshotInfo

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def create(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, best named *.lsr.tar, or a folder.")],
    json: _Json = False,
) -> None:
    """Write the newest generation of an index to a file, while it is searched and written.

    In a folder the file is named after the index and the generation.
    """
    from lsr.engine.archive import SUFFIX, create_snapshot, next_name

    target = archive / f"{next_name(directory)}{SUFFIX}" if archive.is_dir() else archive
    _tell([create_snapshot(directory, target)], json)


def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="The file.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet, or is empty.")],
    json: _Json = False,
) -> None:
    """Make an index of a file, compared byte for byte."""
    from lsr.engine.archive import restore_snapshot

    _tell([restore_snapshot(archive, directory)], json)


def list_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files lie.")], json: _Json = False
) -> None:
    """List the snapshots in a folder (*.lsr.tar), the oldest first."""
    from lsr.engine.archive import list_snapshots

    _tell(list_snapshots(folder), json)


def _tell(found: list[SnapshotInfo], json: bool) -> None:
    from rich.filesize import decimal

    from lsr.cli.output import count, print_json, show

    if json:
        print_json([info.to_dict() for info in found])
        return
    for info in found:
        facts = (
            f"{count(info.documents, 'document')}, generation {info.generation}, {info.encoder}, {decimal(info.bytes)}"
        )
        show().print(f"{info.path}: {info.index}, {info.created}, {facts}", markup=False, soft_wrap=True)


VERBS = {"create": create, "restore": restore, "list": list_}
