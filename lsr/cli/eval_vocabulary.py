"""`lsr eval vocabulary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help="An index, or an encoder to index the collection with.")
    ],
    collection: Annotated[
        str | None,
        typer.Option("--collection", metavar="FOLDER|ID", help="For an encoder, and for figures over its queries."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Which judgements; test by default.")
    ] = None,
    common: Annotated[
        int, typer.Option("--common", metavar="N", min=0, help="How many of the most frequent terms to show.")
    ] = 20,
    directory: Annotated[
        Path | None, typer.Option("--directory", metavar="DIR", help="Keep the index that is made here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe an encoder's vectors: sparsity, vocabulary, expansion.

    Terms a document and a query, FLOPS, weights, how evenly the postings lie over the terms, and the most frequent
    terms.
    """
    from rich.table import Table
    from rich.text import Text

    from lsr.cli.output import print_json, printable, show
    from lsr.engine.index import Index
    from lsr.errors import EvaluationError
    from lsr.eval.collections import load_collection
    from lsr.eval.systems import IndexSystem, open_system, system_named
    from lsr.eval.vocabulary import vocabulary_report

    spec = system_named(system)
    against = None if collection is None else load_collection(collection, split=split)
    queries = [] if against is None else list(against.queries.values())
    if spec.kind == "index":
        with Index.open(spec.name) as index:
            report = vocabulary_report(index, queries, common=common)
    else:
        if against is None:
            raise EvaluationError(f"{system} is not an index", remedy="Add --collection FOLDER|ID to make one of it")
        with open_system(spec, against, directory=directory) as (opened, _):
            if not isinstance(opened, IndexSystem):
                raise EvaluationError(f"{system} has no vectors of ours", remedy="Name an encoder or an index")
            report = vocabulary_report(opened.index, queries, common=common)
    if json:
        print_json(report.to_dict())
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    spread = report.terms_per_document
    dimension = "" if report.dimension is None else f" of {report.dimension:,}"
    rows = [
        ("documents", f"{report.documents:,}"),
        ("postings", f"{report.postings:,}"),
        (
            "terms a document",
            f"{spread['mean']:.1f} (5 % {spread['p5']:.0f}, 50 % {spread['p50']:.0f}, 95 % {spread['p95']:.0f}, "
            f"most {spread['max']:.0f})",
        ),
        ("terms in use", f"{report.vocabulary:,}{dimension}, {report.once:,} in one document only"),
        ("postings of the top 1 %", f"{report.head_share:.1%} (Gini {report.gini:.3f})"),
        (
            "weights",
            f"5 % {report.weights['p5']:.3f}, 50 % {report.weights['p50']:.3f}, 95 % {report.weights['p95']:.3f}, "
            f"most {report.weights['max']:.3f}",
        ),
    ]
    if report.expansion is not None:
        rows.append(("expansion", f"{report.expansion:.1%} of a document's terms are not in its text"))
    if report.query_terms is not None and report.flops is not None:
        rows.append(("terms a query", f"{report.query_terms:.1f} over {report.queries:,} queries"))
        rows.append(("FLOPS", f"{report.flops:.2f} postings a query and document"))
    for name, value in rows:
        table.add_row(name, Text(value))
    console = show()
    console.print(table)
    if report.common:
        terms = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("frequent term", "documents", "share", "mean weight"):
            terms.add_column(name, justify="left" if name == "frequent term" else "right")
        for term in report.common:
            terms.add_row(
                Text(printable(term.word)), f"{term.documents:,}", f"{term.share:.1%}", f"{term.mean_weight:.3f}"
            )
        console.print()
        console.print(terms)
