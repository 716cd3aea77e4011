"""`lsr index`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lsr.cli.output import count, fail, print_json, progress, show, talk
from lsr.errors import LsrError, NotAnIndexError, SourceError

if TYPE_CHECKING:
    from lsr.documents import Document
    from lsr.encoders.settings import Setting
    from lsr.engine.index import Index
    from lsr.engine.loading import LoadReport
    from lsr.sources import ReadReport, Source

_SOURCES = (
    "Files (.jsonl, .json, .csv, .tsv, .parquet, .txt, .md; all but .parquet also with .gz or .zst), "
    "folders of .txt and .md, folders as BEIR has them, or - for JSON lines on standard input."
)

#: Documents that are read before an index is made: a source that is bad from its beginning makes none.
_PEEK = 256


def run(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help=_SOURCES)],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The index: made where there is none, else added to.")
    ],
    id: Annotated[
        str, typer.Option("--id", metavar="FIELD", help="Field of a document's id; a|b takes the first that is there.")
    ] = "_id|id",
    title: Annotated[str, typer.Option("--title", metavar="FIELD", help="Field of its title.")] = "title",
    text: Annotated[str, typer.Option("--text", metavar="FIELD", help="Field of its text.")] = "text",
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="lsr-mini-en (default), bm25, splade-tiny-doc, splade-tiny, or a checkpoint's path.",
        ),
    ] = None,
    encoder_setting: Annotated[
        list[str] | None,
        typer.Option("--encoder-setting", metavar="NAME=VALUE", help="For example k1=1.2; repeatable."),
    ] = None,
    query_idf: Annotated[
        str | None,
        typer.Option(
            "--query-idf",
            metavar="NAME",
            help="Query weights from: model, collection, min or smoothed; else as the encoder has it.",
        ),
    ] = None,
    on_error: Annotated[
        Literal["stop", "skip"], typer.Option("--on-error", help="What to do at a document that cannot be read.")
    ] = "stop",
    optimize: Annotated[bool, typer.Option(help="Merge to one segment at the end.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Index documents from files, folders or standard input.

    Commits as it goes: interrupted with Ctrl-C, the index is valid, and the same command continues. A document replaces
    an earlier one of its id; documents that are there already, unchanged, are not encoded again.
    """
    from lsr.engine.loading import LoadReport
    from lsr.sources import Fields, ReadReport, Source

    fields = Fields(id=id, title=title, text=text)
    loaded, read = LoadReport(), ReadReport()
    opened = [Source(source, fields=fields, on_error=on_error, report=read) for source in sources]
    try:
        documents = chain.from_iterable(opened)
        first = list(islice(documents, _PEEK))
        if not first:
            raise SourceError(f"nothing to index: all of {count(read.skipped, 'document')} were skipped")
        with _target(to, encoder, encoder_setting or [], query_idf) as index:
            try:
                _load(index, opened, chain(first, documents), loaded)
                if optimize:
                    with talk().status("Merging segments …"):
                        index.optimize()
            except KeyboardInterrupt:
                held = f"{to} is valid and holds {count(len(index), 'document')}"
                talk().print(f"Stopped: {held}. The same command continues.", markup=False, soft_wrap=True)
                raise typer.Exit(130) from None
            _tell_skipped(read)
            _report(index, loaded, read, json)
    except LsrError as error:
        _tell_skipped(read)
        fail(error, f"What came before is committed, {count(loaded.read, 'document')}" if loaded.read else "")


def _target(to: Path, encoder: str | None, pairs: list[str], query_idf: str | None) -> Index:
    """The index to add to, made where there is none; an existing one must be what the options ask for."""
    from lsr.encoders.registry import DEFAULT_ENCODER, load_encoder
    from lsr.encoders.settings import parse_settings
    from lsr.engine.index import Index
    from lsr.store.creation import is_vacant
    from lsr.store.durable import named_refusals

    settings = parse_settings(pairs)
    with named_refusals(to):
        free = is_vacant(to)
    if free:
        return Index.create(to, encoder=encoder or DEFAULT_ENCODER, encoder_settings=settings, query_idf=query_idf)
    try:
        index = Index.open(to, writable=True)
    except NotAnIndexError as error:
        raise NotAnIndexError(
            error.message, remedy="Name an index, or a folder that is empty or not there yet"
        ) from None
    try:
        known = index.encoder.settings
        _compare(
            index, {"encoder": encoder, "query idf": query_idf, **{n: v for n, v in settings.items() if n in known}}
        )
        passing = {name: value for name, value in settings.items() if name not in known}
        if not passing:
            return index
    except BaseException:
        index.close()
        raise
    # Settings that an index does not keep, as they only say how the encoder runs: threads, batch_tokens, device.
    index.close()
    return Index.open(to, writable=True, encoder=load_encoder(index.encoder.name, settings={**known, **passing}))


def _compare(index: Index, asked: dict[str, Setting]) -> None:
    """Raise where an option asks for something else than the index has."""
    from lsr.errors import InvalidSettingError

    there: dict[str, Setting] = {"encoder": index.encoder.name, "query idf": index.query_idf, **index.encoder.settings}
    for name, value in asked.items():
        if value is not None and there[name] != value:
            raise InvalidSettingError(
                f"{index.path} has {name} {there[name]!r}, not {value!r}",
                remedy="Leave the option out to add to this index, or choose another folder",
            )


def _load(index: Index, sources: list[Source], documents: Iterable[Document], loaded: LoadReport) -> None:
    from lsr.engine.loading import load_documents

    size = sum(source.size or 0 for source in sources)
    known = all(source.size for source in sources)
    with progress() as display:
        task = display.add_task("indexing", total=size if known else None, note="")

        def moved(report: LoadReport) -> None:
            note = f"{count(report.read, 'document')}, {report.read / max(report.seconds, 1e-9):,.0f}/s"
            display.update(task, completed=sum(source.position for source in sources), note=note)

        load_documents(index, documents, loaded, progress=moved)


def _tell_skipped(read: ReadReport) -> None:
    console = talk()
    for message in read.messages:
        console.print(f"skipped: {message}", style="yellow", markup=False, soft_wrap=True)
    if read.skipped > len(read.messages):
        console.print(f"skipped: {read.skipped - len(read.messages):,} more", style="yellow")


def _report(index: Index, loaded: LoadReport, read: ReadReport, json: bool) -> None:
    documents = len(index)
    if json:
        counts = {
            "documents": documents,
            "read": loaded.read,
            "written": loaded.written,
            "replaced": loaded.replaced,
            "unchanged": loaded.unchanged,
            "duplicates": loaded.duplicates,
            "skipped": read.skipped,
            "seconds": round(loaded.seconds, 3),
            "generation": index.generation,
        }
        print_json({"index": str(index.path), **counts})
        return
    parts = [f"{loaded.written:,} written"]
    if loaded.replaced:
        parts.append(f"{loaded.replaced:,} of these in place of older ones")
    parts += [f"{n:,} {what}" for n, what in ((loaded.unchanged, "unchanged"), (read.skipped, "skipped")) if n]
    if loaded.written >= 1000 and loaded.seconds:
        parts.append(f"{loaded.read / loaded.seconds:,.0f} documents/s")
    console = show()
    console.print(f"{index.path}: {count(documents, 'document')} ({', '.join(parts)})", markup=False, soft_wrap=True)
    if loaded.duplicates:
        again = f"{count(loaded.duplicates, 'document')} came with an id that had come before"
        console.print(f"{again}: the last of each id counts", markup=False, soft_wrap=True)
    console.print(f'Search it: lsr search {shlex.quote(str(index.path))} "…"', markup=False, soft_wrap=True)
