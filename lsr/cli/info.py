"""`lsr info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what an index holds: sizes, settings, segments."""
    from lsr.cli.output import print_json, show
    from lsr.engine.index import Index

    with Index.open(directory) as index:
        info = index.info()
    if json:
        print_json(info.to_dict())
        return
    from rich.filesize import decimal
    from rich.markup import escape
    from rich.table import Table

    settings = ", ".join(f"{name}={value}" for name, value in info.encoder_settings.items())
    facts = Table.grid(padding=(0, 2))
    facts.add_row("[bold]index[/]", escape(info.path))
    facts.add_row("documents", f"{info.documents:,}")
    facts.add_row("encoder", escape(info.encoder + (f" ({settings})" if settings else "")))
    facts.add_row("fingerprint", info.fingerprint[:16])
    facts.add_row("query idf", info.query_idf)
    facts.add_row("terms", f"{info.terms:,} distinct, {info.terms_per_document:.1f} a document")
    facts.add_row("postings", f"{info.postings:,}")
    facts.add_row("on disk", f"{decimal(info.segment_bytes)} of segments, {decimal(info.store_bytes)} of store")
    facts.add_row("deleted", f"{info.deleted:,} still in segments, {100 * info.deleted_share:.1f} % of them")
    facts.add_row("generation", f"{info.generation} (format {info.format_version})")
    console = show()
    console.print(facts)
    if not info.segments:
        return
    table = Table("segment", "documents", "deleted", "postings", "size", box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for segment in info.segments:
        counts = (f"{segment.documents:,}", f"{segment.deleted:,}", f"{segment.postings:,}")
        table.add_row(segment.name, *counts, decimal(segment.bytes))
    console.print(table)
