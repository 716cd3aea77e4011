"""`lsr eval explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lsr.eval.diagnosis import Diagnosis, JudgedDocument


def run(
    query: Annotated[str, typer.Argument(metavar="QUERY-ID", help="A judged query of the collection.")],
    systems: Annotated[
        list[str],
        typer.Argument(metavar="SYSTEM…", help="Indexes, TREC runs, or systems to index it with: bm25,k1=1.2."),
    ],
    collection: Annotated[
        str | None, typer.Option("--collection", metavar="FOLDER|ID", help="A BEIR folder or an id of ir_datasets.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Which judgements; test by default.")
    ] = None,
    documents: Annotated[
        Path | None, typer.Option("--documents", metavar="FILE", help="Instead of a collection: its documents, …")
    ] = None,
    queries: Annotated[Path | None, typer.Option("--queries", metavar="FILE", help="… its queries, …")] = None,
    qrels: Annotated[Path | None, typer.Option("--qrels", metavar="FILE", help="… its judgements.")] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, help="Hits that are looked through for a document.")
    ] = 1_000,
    ahead: Annotated[
        int, typer.Option("--ahead", metavar="N", min=0, help="Hits above a relevant document to look at.")
    ] = 3,
    terms: Annotated[int, typer.Option("--terms", metavar="N", min=1, help="Terms to show of each.")] = 8,
    directory: Annotated[
        Path | None, typer.Option("--directory", metavar="DIR", help="Keep the indexes that are made here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every term.")] = False,
) -> None:
    """Explain a query: why its judged documents rank where they do, in each system.

    Shows for each document its rank, what each term of the query adds to its score, the terms that it lacks, and the
    first hits above it that are not relevant, with the terms that put them there.
    """
    from lsr.cli.output import print_json, show
    from lsr.errors import EvaluationError
    from lsr.eval.collections import judged
    from lsr.eval.diagnosis import explain_query
    from lsr.eval.systems import open_system, system_named

    against = judged(collection, split=split, documents=documents, queries=queries, qrels=qrels)
    if against is None:
        raise EvaluationError("no collection is named", remedy="Add --collection FOLDER|ID")
    found = []
    for name in systems:
        spec = system_named(name)
        with open_system(spec, against, directory=directory) as (system, _):
            found.append(explain_query(system, against, query, label=spec.label, depth=depth, ahead=ahead))
    if json:
        print_json([one.to_dict() for one in found])
        return
    console = show()
    console.print(f"{query}: {found[0].text}", style="bold", markup=False, soft_wrap=True)
    for one in found:
        _system(console, one, terms)


def _system(console: Console, told: Diagnosis, terms: int) -> None:
    console.print()
    console.print(told.system, style="bold cyan", markup=False)
    if told.query_terms:
        shown = "  ".join(f"{word} {weight:.2f}" for word, weight in told.query_terms[: 2 * terms])
        console.print(f"query: {shown}", style="dim", markup=False, soft_wrap=True)
    for document in told.documents:
        _document(console, document, told, terms)


def _document(console: Console, document: JudgedDocument, told: Diagnosis, terms: int) -> None:
    from lsr.cli.output import printable

    rank = f"rank {document.rank}" if document.rank is not None else _nowhere(document, told)
    score = "" if document.score is None else f", score {document.score:.3f}"
    console.print(f"  {document.id} (grade {document.grade}): {rank}{score}", markup=False, soft_wrap=True)
    if document.title:
        console.print(f"    {printable(document.title)[:100]}", style="dim", markup=False, soft_wrap=True)
    if document.terms:
        shown = "  ".join(f"{term.word} {term.contribution:.2f}" for term in document.terms[:terms])
        console.print(f"    has    {shown}", markup=False, soft_wrap=True, style="green")
    if document.missing:
        shown = "  ".join(f"{word} {weight:.2f}" for word, weight in document.missing[:terms])
        console.print(f"    lacks  {shown}", markup=False, soft_wrap=True, style="red")
    for hit in document.ahead:
        grade = "not judged" if hit.grade is None else f"grade {hit.grade}"
        console.print(f"    above  {hit.rank}. {hit.id} ({grade}), score {hit.score:.3f}", markup=False, soft_wrap=True)
        if hit.gains:
            shown = "  ".join(f"{word} {gain:+.2f}" for word, gain in hit.gains[:terms])
            console.print(f"           {shown}", style="dim", markup=False, soft_wrap=True)


def _nowhere(document: JudgedDocument, told: Diagnosis) -> str:
    if document.indexed is False:
        return "not in the index"
    if told.found < told.depth:
        return "not found: no term of the query is in it" if document.terms == () else "not found"
    return f"below rank {told.depth:,}"
