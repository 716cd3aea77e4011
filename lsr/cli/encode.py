"""`lsr encode`."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lsr.cli.output import count, fail, print_json, progress, show, talk
from lsr.errors import LsrError

if TYPE_CHECKING:
    from lsr.bulk import EncodeReport


def run(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Files, folders or -, as `lsr index` reads.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of the parts: new, or one to go on with.")],
    id: Annotated[str, typer.Option("--id", metavar="FIELD", help="Field of a document's id.")] = "_id|id",
    title: Annotated[str, typer.Option("--title", metavar="FIELD", help="Field of its title.")] = "title",
    text: Annotated[str, typer.Option("--text", metavar="FIELD", help="Field of its text.")] = "text",
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="NAME", help="As for `lsr index`; lsr-mini-en by default.")
    ] = None,
    encoder_setting: Annotated[
        list[str] | None,
        typer.Option("--encoder-setting", metavar="NAME=VALUE", help="For example precision=int8; repeatable."),
    ] = None,
    part_documents: Annotated[int, typer.Option(metavar="N", help="Documents of a part.")] = 10_000,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Processes that encode; 0: this one, on all its cores or a GPU.")
    ] = 0,
    on_error: Annotated[
        Literal["stop", "skip"], typer.Option("--on-error", help="What to do at a document that cannot be read.")
    ] = "stop",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Encode documents to files of vectors, without an index.

    Parts are SciPy CSR matrices with their ids beside them. Interrupted at any moment, the same command continues, and
    every document is in the parts exactly once.
    """
    from lsr.bulk import encode_to_parts
    from lsr.encoders.registry import DEFAULT_ENCODER
    from lsr.encoders.settings import parse_settings
    from lsr.sources import Fields, ReadReport, Source

    read = ReadReport()
    try:
        fields = Fields(id=id, title=title, text=text)
        opened = [Source(source, fields=fields, on_error=on_error, report=read) for source in sources]
        size = sum(source.size or 0 for source in opened)
        known = all(source.size for source in opened)
        with progress() as display:
            task = display.add_task("encoding", total=size if known else None, note="")

            def moved(report: EncodeReport) -> None:
                note = f"{count(report.documents, 'document')}, {report.encoded / max(report.seconds, 1e-9):,.0f}/s"
                display.update(task, completed=sum(source.position for source in opened), note=note)

            report = encode_to_parts(
                chain.from_iterable(opened),
                to,
                encoder=encoder or DEFAULT_ENCODER,
                settings=parse_settings(encoder_setting or []),
                part_documents=part_documents,
                workers=workers,
                progress=moved,
            )
    except KeyboardInterrupt:
        talk().print(f"Stopped: the parts in {to} are whole. The same command continues.", markup=False)
        raise typer.Exit(130) from None
    except LsrError as error:
        fail(error)
    if json:
        print_json(
            {
                "folder": str(to),
                "documents": report.documents,
                "encoded": report.encoded,
                "parts": report.parts,
                "skipped": read.skipped,
                "seconds": round(report.seconds, 3),
            }
        )
        return
    done = f"{count(report.encoded, 'document')} encoded now" if report.encoded else "nothing left to encode"
    skipped = f", {read.skipped:,} skipped" if read.skipped else ""
    whole = f"{count(report.documents, 'document')} in {count(report.parts, 'part')}"
    show().print(f"{to}: {whole} ({done}{skipped})", markup=False, soft_wrap=True)
