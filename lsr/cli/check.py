"""`lsr check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Build damaged segments anew from the stored vectors.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read and compare every stored byte; repair what can be.

    SQLite's pages, the checksum of each row, the checksums of each segment. Exits with 1 where anything is damaged and
    was not repaired.
    """
    from lsr.cli.output import count, print_json, show
    from lsr.engine.check import check_index

    report = check_index(directory, repair=repair)
    if json:
        print_json(report.to_dict())
    else:
        console = show()
        for problem in report.repaired:
            console.print(f"repaired: {problem}", style="yellow", markup=False, soft_wrap=True)
        for problem in report.problems:
            console.print(f"damaged: {problem}", style="red", markup=False, soft_wrap=True)
        verdict = "sound" if report.sound else "NOT sound"
        size = f"{count(report.documents, 'document')} in {count(report.segments, 'segment')}"
        console.print(f"{directory}: {verdict}, {size}", markup=False, soft_wrap=True)
    if not report.sound:
        raise typer.Exit(1)
