"""`lsr search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsr.cli.filters import HELP, parse_filter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from lsr.engine.results import Hit, SearchResponse, Snippet


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The index.")],
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="What to look for, in one word or several.")],
    k: Annotated[int, typer.Option("--k", "-k", metavar="N", help="How many hits, 1 or more.")] = 10,
    explain: Annotated[
        bool, typer.Option("--explain", help="List what each term adds; the list adds up to the score.")
    ] = False,
    filter: Annotated[str | None, typer.Option("--filter", metavar="JSON", help=HELP)] = None,
    recall: Annotated[
        str | None,
        typer.Option("--recall", metavar="PERCENT", help="Approximate: 95, 99 or 99.9 per cent of the true hits."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with the whole documents.")] = False,
) -> None:
    """Search an index: the best documents, exactly, with the matched terms marked.

    A query of words that no document knows finds nothing, which is no error.
    """
    from lsr.cli.output import print_json, show
    from lsr.engine.index import Index
    from lsr.index.options import EXACT, for_recall

    wanted = parse_filter(filter)
    options = EXACT if recall is None else for_recall(recall)
    with Index.open(directory) as index:
        response = index.search(" ".join(query), k=k, explain=explain, filter=wanted, options=options)
        documents = len(index)
    if json:
        print_json(response.to_dict())
    elif response.hits:
        print_hits(show(), response)
    else:
        which = "no document" if wanted is None else "no document that the filter matches"
        why = f"{which} holds a word of the query" if documents else "the index is empty"
        show().print(f"No hits: {why}.")


def print_hits(console: Console, response: SearchResponse) -> None:
    """Hits for a person."""
    from lsr.cli.output import count

    for hit in response.hits:
        _print_hit(console, hit)
    found = f"{count(len(response.hits), 'hit')} in {response.took_ms:.1f} ms, generation {response.generation}"
    console.print(found + ("" if response.exact else ", approximate"), style="dim")


def _print_hit(console: Console, hit: Hit) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from lsr.cli.output import printable

    title, id = printable(hit.document.title), printable(hit.id)
    name = [(title, "bold"), "  ", (id, "dim")] if title.strip() else [(id, "bold")]
    console.print(
        Text.assemble((f"{hit.rank:>2}. ", "bold"), *name, "  ", (f"{hit.score:.4f}", "cyan")), soft_wrap=True
    )
    if hit.document.text:
        console.print(Padding(marked(hit.snippet), (0, 0, 0, 4), expand=False))
    if hit.explanation is not None:
        _print_explanation(console, hit)
    console.print()


def marked(snippet: Snippet) -> Text:
    """The snippet on one line, its matched terms in bold."""
    from rich.text import Text

    from lsr.cli.output import printable

    text = Text(printable(snippet.text), overflow="fold")
    for start, end in snippet.matches:
        text.stylize("bold yellow", start, end)
    return text


def _print_explanation(console: Console, hit: Hit) -> None:
    from rich.markup import escape
    from rich.padding import Padding
    from rich.table import Table

    from lsr.cli.output import printable

    assert hit.explanation is not None
    table = Table("term", "query", "× document", "= adds", "", box=None, header_style="dim", padding=(0, 1))
    for column in table.columns[1:4]:
        column.justify = "right"
    greatest = hit.explanation[0].contribution if hit.explanation else 1.0
    for term in hit.explanation:
        bar = "▇" * max(1, round(20 * term.contribution / greatest))
        numbers = (f"{term.query_weight:.4f}", f"{term.document_weight:.4f}", f"{term.contribution:.4f}")
        table.add_row(escape(printable(term.word)), *numbers, f"[cyan]{bar}[/]")
    total = sum(term.integer for term in hit.explanation)
    assert total == hit.integer_score
    table.add_row("[dim]sum[/]", "", "", f"[bold]{hit.score:.4f}[/]", "")
    console.print(Padding(table, (0, 0, 0, 4), expand=False))
