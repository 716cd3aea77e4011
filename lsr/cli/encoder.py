"""Say what an encoder is; write it for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


def export(
    encoder: Annotated[str, typer.Argument(metavar="PATH", help=_NAME)],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder.")],
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="sentence-transformers, opensearch or masked-lm.")
    ] = "sentence-transformers",
    encoder_setting: Annotated[
        list[str] | None, typer.Option("--encoder-setting", metavar="NAME=VALUE", help=_SETTING)
    ] = None,
) -> None:
    """Write a checkpoint in the layout of another tool. The weights stay as they are."""
    from lsr.encoders.export import export_checkpoint
    from lsr.encoders.neural import NeuralEncoder
    from lsr.encoders.registry import load_encoder
    from lsr.encoders.settings import parse_settings
    from lsr.errors import EncoderError

    try:
        loaded = load_encoder(encoder, settings=parse_settings(encoder_setting or []))
        if not isinstance(loaded, NeuralEncoder):
            raise EncoderError(
                f"{encoder} is no checkpoint that can be written so", remedy="Name a checkpoint's folder"
            )
        export_checkpoint(loaded, to, format=format)
    except LsrError as error:
        fail(error)
    show().print(f"{to}: {loaded.name} for {format}", markup=False, soft_wrap=True)


VERBS = {"info": info, "export": export}
