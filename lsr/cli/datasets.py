"""`lsr datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", envvar="LSR_DATA", help="A folder of judged collections of yours."),
    ] = None,
    find: Annotated[
        str | None, typer.Option("--find", metavar="TEXT", help="Ids of ir_datasets with this text in them instead.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List judged collections: what is known, and what is on this machine.

    A set that is here can be evaluated without a network. `lsr datasets get NAME` brings one.
    """
    from rich.table import Table
    from rich.text import Text

    from lsr.cli.output import print_json, printable, show
    from lsr.eval.catalogue import find_ids, list_datasets

    if find is not None:
        ids = find_ids(find)
        if json:
            print_json(ids)
        else:
            typer.echo("\n".join(ids) if ids else f"no id of ir_datasets has {find!r} in it")
        return
    datasets = list_datasets(data)
    if json:
        print_json([dataset.to_dict() for dataset in datasets])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("set", "documents", "queries", "in averages", "download", "here"):
        number = name in ("documents", "queries", "download")
        table.add_column(name, justify="right" if number else "left", no_wrap=name != "here", overflow="fold")
    for one in datasets:
        sizes = [f"{count:,}" if count else "–" for count in (one.documents, one.queries)]
        counted = " ".join(name.removeprefix("BEIR-") for name in one.averages) or "–"
        here = Text(printable(one.here) or "–", style="green" if one.here else "dim")
        table.add_row(one.name, *sizes, counted, one.download or "–", here)
    show().print(table)
