"""`lsr optimize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    reorder: Annotated[
        bool,
        typer.Option("--reorder", help="Bring similar documents together: pays from a million documents on."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Merge an index to one segment, drop what is deleted, and give freed room back.

    Searches go on meanwhile. Small segments are merged in the background anyway; this is for an index that is to be
    read much and written little from now on.
    """
    from lsr.cli.output import count, print_json, show, talk
    from lsr.engine.index import Index

    with Index.open(directory, writable=True) as index:
        with talk().status("Merging segments …"):
            index.optimize(reorder=reorder)
        info = index.info()
    if json:
        print_json(info.to_dict())
        return
    size = f"{count(info.documents, 'document')} in {count(len(info.segments), 'segment')}"
    show().print(f"{directory}: {size}, generation {info.generation}", markup=False, soft_wrap=True)
