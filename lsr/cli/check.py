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
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read and compare every stored byte: SQLite's pages, each row's checksum, each segment's.

    Exits with 1 where anything is damaged and was not repaired.
    """
    from lsr.cli.output import print_json, show
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
        console.print(
            f"{directory}: {verdict}, {report.documents:,} documents in {report.segments} segments", markup=False
        )
    if not report.sound:
        raise typer.Exit(1)
