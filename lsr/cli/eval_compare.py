"""`lsr eval compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lsr.eval.report import Table


def run(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", help="TREC runs, records (.json), or folders of records; LABEL=RUN names one."),
    ],
    collection: Annotated[
        str | None,
        typer.Option("--collection", metavar="FOLDER|ID", help="What runs without a record are measured against."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Which judgements; test by default.")
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="Judgements (TREC, TSV or JSONL) instead of a collection."),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", metavar="FILE", help="With --qrels, texts of the queries to show.")
    ] = None,
    drop_self_matches: Annotated[
        bool | None, typer.Option(help="Leave out a hit with the query's own id; the collection's rule by default.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option("--measure", metavar="NAME", help="A name of ir_measures; repeatable. The first is the headline."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="LABEL", help="What others are compared with; the first.")
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Test every system against every other.")] = False,
    published: Annotated[
        Path | None,
        typer.Option("--published", metavar="FILE", help="Columns of published figures: eval/published/beir.yaml."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME", help="Only these columns of --published; repeatable."),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option("--report", metavar="FILE", help="Write a report: .md, .tex, .json or .html; repeatable."),
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="The report's title.")] = "",
    top: Annotated[int, typer.Option("--top", metavar="N", min=0, help="Queries shown of those that differ most.")] = 5,
    resamples: Annotated[
        int, typer.Option("--resamples", metavar="N", min=1, help="Of the randomisation test and the bootstrap.")
    ] = 9_999,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of both.")] = 42,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: results, averages, tests, queries.")] = False,
) -> None:
    """Compare runs: figures by set, significance, cost, and the queries on which they differ.

    Differences are tested query by query against the first run (or --baseline): paired t test and randomisation test,
    both corrected after Holm for all tests of a measure, with bootstrap intervals.
    """
    from lsr.cli.output import print_json, show, talk
    from lsr.errors import EvaluationError
    from lsr.eval.collections import judged
    from lsr.eval.comparison import Comparison
    from lsr.eval.gather import gather
    from lsr.eval.published import read_published
    from lsr.eval.report import FORMATS, build_report, write_report

    for path in report or []:
        if path.suffix.lower() not in FORMATS:
            raise EvaluationError(f"no report has the suffix {path.suffix!r}", remedy=f"Use {', '.join(FORMATS)}")
    if column and published is None:
        raise EvaluationError("--column is for --published only", remedy="Add --published FILE")
    against = judged(collection, split=split, qrels=qrels, queries=queries, drop_self_matches=drop_self_matches)
    records = gather(runs, collection=against, measures=measure)
    comparison = Comparison(
        records, baseline=baseline, measures=measure, all_pairs=all_pairs, resamples=resamples, seed=seed
    )
    columns = [] if published is None else read_published(published, column or [])
    told = build_report(comparison, published=columns, most=top, title=title)
    for path in report or []:
        write_report(path, told)
        talk().print(f"wrote {path}", style="dim", markup=False, soft_wrap=True)
    if json:
        print_json(comparison.to_dict())
        return
    console = show()
    for sentence in told.summary:
        console.print(sentence, markup=False, soft_wrap=True)
    for section in told.sections:
        if section.title != "Provenance":
            for table in section.tables:
                console.print()
                console.print(drawn(table))
                if table.note:
                    console.print(table.note, style="dim", markup=False)


def drawn(table: Table) -> object:
    """A report's table for a terminal."""
    from rich import box
    from rich.table import Table as Drawn
    from rich.text import Text

    from lsr.cli.output import printable

    found = Drawn(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for place, name in enumerate(table.header):
        found.add_column(Text(name), justify="left" if place < table.labels else "right", overflow="fold")
    colours = {"↑": "green", "↓": "red"}
    for number, row in enumerate(table.rows):
        if number in table.rules:
            found.add_section()
        cells = [
            Text.assemble((printable(cell.text), "bold" if cell.bold else ""), (cell.mark, colours.get(cell.mark, "")))
            for cell in row
        ]
        found.add_row(*cells)
    return found
