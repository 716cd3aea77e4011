"""`lsr delete`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lsr.cli.filters import HELP, parse_filter


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of documents.")] = None,
    filter: Annotated[str | None, typer.Option("--filter", metavar="JSON", help=f"Instead of ids. {HELP}")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Delete documents by id, or all that a filter matches, in one transaction.

    Ids that are not there are passed over.
    """
    from lsr.cli.output import count, print_json, show
    from lsr.engine.index import Index

    wanted = parse_filter(filter)
    with Index.open(directory, writable=True) as index:
        deleted = index.delete(ids or None, filter=wanted)
        generation, left = index.generation, len(index)
    if json:
        print_json({"index": str(directory), "deleted": deleted, "documents": left, "generation": generation})
        return
    text = f"{directory}: {count(deleted, 'document')} deleted, {left:,} left"
    show().print(text, markup=False, soft_wrap=True)
