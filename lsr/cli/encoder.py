"""Say what an encoder is; write it for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from lsr.cli import export
from lsr.cli.output import fail, print_json, show
from lsr.errors import LsrError

_NAME = "A named encoder, a checkpoint's folder, or its hub id."
_SETTING = "For example family=sparta; repeatable."


def info(
    encoder: Annotated[str, typer.Argument(metavar="PATH", help=_NAME)],
    encoder_setting: Annotated[
        list[str] | None, typer.Option("--encoder-setting", metavar="NAME=VALUE", help=_SETTING)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a checkpoint is and how it will be used. Loads no network."""
    from lsr.encoders.describe import describe_encoder
    from lsr.encoders.settings import parse_settings

    try:
        facts = describe_encoder(encoder, parse_settings(encoder_setting or []))
    except LsrError as error:
        fail(error)
    if json:
        print_json(facts)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}={part}" for key, part in value.items())
        if value not in (None, ""):
            table.add_row(f"[bold]{escape(name.replace('_', ' '))}[/]", escape(str(value)))
    show().print(table)


VERBS = {"info": info, "export": export.run}
