"""`lsr patch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    id: Annotated[str, typer.Argument(metavar="ID", help="A document's id.")],
    change: Annotated[str, typer.Argument(metavar="JSON", help='For example \'{"year": 2001, "draft": null}\'.')],
    replace: Annotated[bool, typer.Option("--replace", help="JSON is the whole new metadata.")] = False,
) -> None:
    """Change a document's metadata without encoding it again.

    A JSON Merge Patch (RFC 7396): null removes a field, objects are entered, everything else replaces.
    """
    import json

    from lsr.cli.output import print_json
    from lsr.engine.index import Index
    from lsr.errors import InvalidDocumentError

    try:
        value = json.loads(change)
    except ValueError as error:
        raise InvalidDocumentError(f"the change is not JSON: {error}") from None
    with Index.open(directory, writable=True) as index:
        index.patch({id: value}, replace=replace)
        print_json(index.document(id).metadata)
