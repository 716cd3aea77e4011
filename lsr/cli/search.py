"""`lsr search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from lsr.engine.results import Hit, SearchResponse, Snippet


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for; quote several words.")],
    k: Annotated[int, typer.Option("--k", "-k", help="How many hits.")] = 10,
    explain: Annotated[
        bool, typer.Option("--explain", help="List what each term adds; the list adds up to the score.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with the whole documents.")] = False,
) -> None:
    """Search an index: the k best documents, exactly, with the matched terms marked."""
    from lsr.cli.output import print_json, show
    from lsr.engine.index import Index

    with Index.open(directory) as index:
        response = index.search(query, k=k, explain=explain)
    if json:
        print_json(response.to_dict())
    else:
        print_response(show(), response)


def print_response(console: Console, response: SearchResponse) -> None:
    """Hits for a person."""
    if not response.hits:
        known = "none of its words is known here" if not response.terms else "no document holds its words"
        console.print(f"No hits: {known}.")
        return
    for hit in response.hits:
        _print_hit(console, hit)
    found = f"{len(response.hits)} hits in {response.took_ms:.1f} ms, generation {response.generation}"
    console.print(found + ("" if response.exact else ", approximate"), style="dim", highlight=False)


def _print_hit(console: Console, hit: Hit) -> None:
    from rich.markup import escape
    from rich.padding import Padding

    title = hit.document.title or hit.id
    head = f"[bold]{hit.rank:>2}. {escape(title)}[/]  [dim]{escape(hit.id)}[/]  [cyan]{hit.score:.4f}[/]"
    console.print(head, highlight=False, soft_wrap=True)
    if hit.document.text:
        console.print(Padding(marked(hit.snippet), (0, 0, 0, 4)))
    if hit.explanation is not None:
        _print_explanation(console, hit)
    console.print()


def marked(snippet: Snippet) -> Text:
    """The snippet on one line, its matched terms in bold."""
    from rich.text import Text

    text = Text(snippet.text.replace("\n", " ").replace("\t", " "), overflow="fold")
    for start, end in snippet.matches:
        text.stylize("bold yellow", start, end)
    return text


def _print_explanation(console: Console, hit: Hit) -> None:
    from rich.padding import Padding
    from rich.table import Table

    assert hit.explanation is not None
    table = Table("term", "query", "× document", "= adds", "", box=None, header_style="dim", padding=(0, 1))
    for column in table.columns[1:4]:
        column.justify = "right"
    greatest = hit.explanation[0].contribution if hit.explanation else 1.0
    for term in hit.explanation:
        bar = "▇" * max(1, round(20 * term.contribution / greatest))
        numbers = (f"{term.query_weight:.4f}", f"{term.document_weight:.4f}", f"{term.contribution:.4f}")
        table.add_row(term.word, *numbers, f"[cyan]{bar}[/]")
    total = sum(term.integer for term in hit.explanation)
    assert total == hit.integer_score
    table.add_row("[dim]sum[/]", "", "", f"[bold]{hit.score:.4f}[/]", "")
    console.print(Padding(table, (0, 0, 0, 4)))
