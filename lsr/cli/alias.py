"""Names of indexes that can be pointed elsewhere in one step: index anew beside the old, then set the alias."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def set_(
    alias: Annotated[Path, typer.Argument(metavar="ALIAS", help="The name, a path that is free or an alias.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index that it is to lead to.")],
) -> None:
    """Let an alias lead to an index; a running service follows.

    At any moment it leads to the index before or to this one.
    """
    from lsr.cli.output import show
    from lsr.engine.aliases import set_alias

    before = set_alias(alias, directory)
    now = alias.resolve()
    was = f", before to {before}" if before != now else ""
    show().print(f"{alias} leads to {now}{was}", markup=False, soft_wrap=True)


def remove(alias: Annotated[Path, typer.Argument(metavar="ALIAS", help="The alias.")]) -> None:
    """Remove an alias; the index stays."""
    from lsr.engine.aliases import remove_alias

    remove_alias(alias)


def list_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the aliases lie.")], json: _Json = False
) -> None:
    """List the aliases in a folder and where they lead."""
    from lsr.cli.output import print_json, show
    from lsr.engine.aliases import list_aliases

    found = list_aliases(folder)
    if json:
        print_json({name: str(target) for name, target in found.items()})
        return
    for name, target in found.items():
        there = "" if target.exists() else " (nothing is there)"
        show().print(f"{name} → {target}{there}", markup=False, soft_wrap=True)


VERBS = {"set": set_, "remove": remove, "list": list_}
