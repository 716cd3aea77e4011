"""`lsr demo`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lsr.documents import Document

#: Asked in words that the documents which answer them do not use. They are asked, not tuned: the carried model is
#: small, and misses some.
QUESTIONS = (
    "a queue where the smallest comes first",
    "stop waiting after some time",
    "find the biggest of several numbers",
    "tell whether two files are the same",
    "run a function when the program ends",
)


def run(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the demo's index is kept.")] = Path(
        "lsr-demo/python-docs"
    ),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve it afterwards, until interrupted.")] = True,
    port: Annotated[int, typer.Option("--port", help="Port of the service.", min=0, max=65535)] = 8080,
) -> None:
    """Index this Python's own documentation, ask it questions, serve it.

    The carried encoder reads the docstrings of the standard library, some thousands. Nothing is downloaded. Run again,
    it continues where it stopped.
    """
    import sys

    from lsr.cli.output import show, talk
    from lsr.sources import python_documentation

    console = show()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    console.print(f"[bold]1.[/] The documentation of Python {version}, from its own docstrings")
    with talk().status("Collecting …"):
        documents = list(python_documentation())
    console.print(f"   {len(documents):,} documents: modules, classes, functions and methods")
    demonstrate(to, documents)
    if serve:
        from lsr.cli.serve import serve_directories

        serve_directories([to], host="127.0.0.1", port=port, examples={to.name: list(QUESTIONS)})


def demonstrate(to: Path, documents: list[Document]) -> None:
    """Index the documents, ask the questions, say how to go on."""
    import shutil
    import sys

    from lsr.cli.output import printable, progress, show
    from lsr.engine.index import Index
    from lsr.engine.loading import LoadReport, load_documents
    from lsr.store.schema import FILE_NAME

    console = show()
    loaded = LoadReport()
    with Index.open(to, writable=True) if (to / FILE_NAME).exists() else Index.create(to) as index:
        console.print(f"[bold]2.[/] Indexing with [bold]{index.encoder.name}[/], no GPU, no torch")
        with progress() as display:
            task = display.add_task("   encoding", total=len(documents), note="")

            def moved(report: LoadReport) -> None:
                rate = report.read / report.seconds if report.seconds else 0.0
                display.update(task, completed=report.read, note=f"{rate:,.0f} documents/s")

            load_documents(index, documents, loaded, progress=moved)
        index.optimize()
        done = f"{loaded.written:,} written, {loaded.unchanged:,} there already, in {loaded.seconds:.0f} s → {to}"
        console.print(f"   {done}", markup=False, soft_wrap=True)
        console.print("[bold]3.[/] Asking, in words that are not in the docstrings")
        for question in QUESTIONS:
            response = index.search(question, k=3)
            console.print(f"   [bold cyan]{question}[/]  [dim]{response.took_ms:.0f} ms[/]")
            for hit in response.hits:
                line = printable(" ".join(hit.document.text.split()))
                short = line if len(line) <= 80 else f"{line[:79]}…"
                console.print(f"      {hit.rank}. {hit.id}: {short}", markup=False, soft_wrap=True)
    console.print("[bold]4.[/] Look further")
    command = "lsr" if shutil.which("lsr") else shlex.quote(sys.argv[0])
    folder = shlex.quote(str(to))
    console.print(f'   {command} search {folder} "…" --explain', markup=False, soft_wrap=True)
    console.print(f"   {command} serve {folder}", markup=False, soft_wrap=True)
