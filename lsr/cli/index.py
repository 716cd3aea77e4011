"""`lsr index`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lsr.cli.output import print_json, progress, show, talk

if TYPE_CHECKING:
    from lsr.documents import Document
    from lsr.engine.index import Index
    from lsr.engine.loading import LoadReport
    from lsr.sources import ReadReport, Source

_SOURCES = (
    "Files (.jsonl, .csv, .tsv, .parquet, .txt, .md; .gz and .zst of them), folders, BEIR folders, or - for JSONL."
)


def run(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help=_SOURCES)],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The index: made where it is not there, else added to.")
    ],
    id: Annotated[str, typer.Option("--id", metavar="FIELD", help="Field of the document's id.")] = "_id|id",
    title: Annotated[str, typer.Option("--title", metavar="FIELD", help="Field of the title.")] = "title",
    text: Annotated[str, typer.Option("--text", metavar="FIELD", help="Field of the text.")] = "text",
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="bm25, splade-tiny, splade-tiny-doc (default), or a checkpoint.")
    ] = None,
    encoder_setting: Annotated[
        list[str] | None,
        typer.Option("--encoder-setting", metavar="NAME=VALUE", help="For example k1=1.2; repeatable."),
    ] = None,
    query_idf: Annotated[
        str | None, typer.Option("--query-idf", help="Query weights from: model, collection or min.")
    ] = None,
    on_error: Annotated[Literal["stop", "skip"], typer.Option("--on-error", help="At a malformed document.")] = "stop",
    optimize: Annotated[bool, typer.Option(help="Merge to one segment at the end.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Index documents. Commits as it goes: interrupted, the index is valid, and the same command continues.

    A document's id replaces an earlier document of that id; unchanged documents are not encoded again.
    """
    from lsr.engine.loading import LoadReport
    from lsr.sources import Fields, ReadReport, Source

    fields = Fields(id=id, title=title, text=text)
    loaded, read = LoadReport(), ReadReport()
    opened = [Source(source, fields=fields, on_error=on_error, report=read) for source in sources]
    with _target(to, encoder, encoder_setting or [], query_idf) as index:
        try:
            _load(index, opened, loaded)
            if optimize:
                with talk().status("Merging segments …"):
                    index.optimize()
        except KeyboardInterrupt:
            talk().print(
                f"Stopped: {loaded.read:,} documents are committed. Run the same command again to continue.",
                highlight=False,
            )
            raise typer.Exit(130) from None
        _report(index, loaded, read, json)


def _target(to: Path, encoder: str | None, pairs: list[str], query_idf: str | None) -> Index:
    """The index to add to, made where there is none; an existing one must be what the options ask for."""
    from lsr.encoders.registry import DEFAULT_ENCODER
    from lsr.encoders.settings import parse_settings
    from lsr.engine.index import Index
    from lsr.errors import InvalidSettingError

    settings = parse_settings(pairs)
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        name = encoder or DEFAULT_ENCODER
        return Index.create(to, encoder=name, encoder_settings=settings, query_idf=query_idf)
    index = Index.open(to, writable=True)
    try:
        asked = {"encoder": encoder, "query idf": query_idf, **settings}
        there = {"encoder": index.encoder.name, "query idf": index.query_idf, **index.encoder.settings}
        for name, value in asked.items():
            if value is not None and there.get(name) != value:
                raise InvalidSettingError(
                    f"{to} has {name} {there.get(name)!r}, not {value!r}",
                    remedy="Leave the option out to add to this index, or choose another folder",
                )
    except BaseException:
        index.close()
        raise
    return index


def _load(index: Index, sources: list[Source], loaded: LoadReport) -> None:
    from lsr.engine.loading import load_documents

    total = sum(source.size or 0 for source in sources)
    known = bool(total) and all(source.size for source in sources)
    with progress(bytes_known=known) as display:
        task = display.add_task("indexing", total=total if known else None, note="")

        def documents() -> Iterator[Document]:
            for source in sources:
                yield from source

        def moved(report: LoadReport) -> None:
            rate = report.read / report.seconds if report.seconds else 0.0
            note = f"{report.read:,} documents, {rate:,.0f}/s"
            display.update(task, completed=sum(source.position for source in sources), note=note)

        load_documents(index, documents(), loaded, progress=moved)


def _report(index: Index, loaded: LoadReport, read: ReadReport, json: bool) -> None:
    counts = {
        "documents": len(index),
        "read": loaded.read,
        "written": loaded.written,
        "replaced": loaded.replaced,
        "unchanged": loaded.unchanged,
        "duplicates": loaded.duplicates,
        "skipped": read.skipped,
        "seconds": round(loaded.seconds, 3),
        "generation": index.generation,
    }
    for message in read.messages:
        talk().print(f"skipped: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if read.skipped > len(read.messages):
        talk().print(f"skipped: {read.skipped - len(read.messages)} more", style="yellow")
    if json:
        print_json({"index": str(index.path), **counts})
        return
    rare = ("replaced", "unchanged", "duplicates", "skipped")
    parts = [f"{loaded.written:,} written", *(f"{counts[name]:,} {name}" for name in rare if counts[name])]
    rate = f", {loaded.read / loaded.seconds:,.0f} documents/s" if loaded.seconds and loaded.written else ""
    console = show()
    line = f"{index.path}: {len(index):,} documents ({', '.join(parts)}) in {loaded.seconds:.1f} s{rate}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    if loaded.duplicates:
        console.print("Ids that came more than once: the last document of each counts.", highlight=False)
    console.print(f'Search it: lsr search {index.path} "…"', highlight=False, markup=False, soft_wrap=True)
