"""`lsr train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="What to train, on what, and how.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A value that goes before the recipe's: --set optimizer.steps=100 --set teachers.0.weight=0.5 "
            "--set 'idf.table=\"none\"'. VALUE is TOML, KEY dotted; repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read all of the data and train two steps on the CPU; nothing is kept."),
    ] = False,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="cpu; by default a GPU where there is one.")
    ] = None,
) -> None:
    """Train a sparse encoder by a recipe.

    The same command goes on where a run was interrupted. The model, with its card, is in the folder `model` of the
    recipe's `run.output`; every checkpoint there is an encoder that loads by its path.
    """
    from lsr.cli.output import show, talk
    from lsr.errors import InvalidSettingError
    from lsr.training import run as training
    from lsr.training.overrides import parse_overrides

    if device not in (None, "cpu"):
        raise InvalidSettingError(f"--device is {device!r}", remedy="It is cpu; leave it out for a GPU")
    overrides = parse_overrides(settings or ())
    console = talk()

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    try:
        if dry_run:
            training.dry_run(recipe, say=say, overrides=overrides)
            return
        trained = training.train(recipe, say=say, overrides=overrides, device=device)
    except KeyboardInterrupt:
        left = "nothing is kept" if dry_run else "the same command goes on from the last whole checkpoint"
        say(f"Stopped: {left}.")
        raise SystemExit(130) from None
    show().print(str(trained.model), markup=False, soft_wrap=True)
