"""`lsr export`, also `lsr encoder export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lsr.cli.output import fail, print_json, show
from lsr.errors import LsrError


def run(
    model: Annotated[
        str, typer.Argument(metavar="PATH", help="A run of `lsr train`, a checkpoint's folder, or its hub id.")
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder.")],
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="onnx, sentence-transformers, opensearch or masked-lm.")
    ] = "sentence-transformers",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="NAME",
            help="Of onnx, repeatable: float32, float16 (half the file), int8 (faster); float32 and int8 by default.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Of onnx: what the encoder is called.")] = "",
    source: Annotated[str, typer.Option(metavar="TEXT", help="Of onnx: where the weights came from.")] = "",
    licence: Annotated[str, typer.Option(metavar="SPDX", help="Of onnx: the licence of the weights.")] = "",
    max_length: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens of a text that are read; 256 by default.")
    ] = None,
    prune: Annotated[
        float, typer.Option(metavar="SHARE", help="Of onnx: drop terms below this share of a document's greatest.")
    ] = 0.0,
    encoder_setting: Annotated[
        list[str] | None,
        typer.Option("--encoder-setting", metavar="NAME=VALUE", help="For example family=sparta; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Write a trained model, or any checkpoint, for another tool.

    onnx is what lsr runs without torch, as its carried model: `lsr index --encoder DIR`. The other formats keep the
    weights as they are.
    """
    from lsr.encoders.settings import parse_settings
    from lsr.training.export import export_model

    try:
        done = export_model(
            model,
            to,
            format=format,
            precisions=precision or (),
            name=name,
            source=source,
            licence=licence,
            max_length=max_length,
            prune=prune,
            settings=parse_settings(encoder_setting or []),
        )
    except LsrError as error:
        fail(error)
    if json:
        print_json({"folder": str(to), "format": format, "source": done.source, "bytes": done.bytes})
        return
    line = f"{to}: {done.source} for {format}, {done.bytes / 1e6:,.1f} MB"
    show().print(line, markup=False, soft_wrap=True)
