"""`lsr datasets get`."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Sets of BEIR: scifact, nfcorpus, …")],
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", metavar="URL", help="Another place with the same files; checksums stay."),
    ] = None,
) -> None:
    """Bring judged collections to this machine, checked against their checksums.

    They go to $IR_DATASETS_HOME (by default ~/.ir_datasets). An interrupted download goes on with the same command.
    """
    from lsr.cli.output import progress, show
    from lsr.eval.catalogue import archive_of, get_dataset

    for name in names:
        archive_of(name)  # all names are known before the first byte
    for name in names:
        with progress() as display:
            task = display.add_task(name, total=None, note="")

            def moved(done: int, total: int | None) -> None:
                display.update(task, completed=done, total=total, note=f"{done / 1e6:,.1f} MB")  # noqa: B023

            place = get_dataset(name, mirror=mirror, progress=moved)
        show().print(f"{name} is in {place}", markup=False, soft_wrap=True)
