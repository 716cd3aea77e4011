"""`lsr mine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lsr.cli.output import count, print_json, show, steps

_TEACHER = "bm25, dense:FOLDER, sparse:ENCODER (a name of `lsr index --encoder`, or a checkpoint)"


def run(
    pairs: Annotated[
        str, typer.Argument(metavar="PAIRS", help="JSONL or Parquet with query and pos; beir:FOLDER; ir_datasets:ID.")
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new JSONL file; .gz compresses it.")],
    by: Annotated[str | None, typer.Option("--by", metavar="RANKER", help=f"{_TEACHER}; bm25 by default.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", metavar="DIR", help="Rank the documents of an index, by its encoder.")
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option("--corpus", metavar="SOURCE", help="Documents to rank, as `lsr index` reads; else all positives."),
    ] = None,
    negatives: Annotated[int, typer.Option(metavar="N", help="Wanted for each row.")] = 4,
    first: Annotated[int, typer.Option(metavar="RANK", help="First rank of the window, positives not counted.")] = 1,
    last: Annotated[int, typer.Option(metavar="RANK", help="Last rank of the window.")] = 50,
    ceiling: Annotated[
        float, typer.Option(metavar="SHARE", help="Leave out what scores above this share of the positive; 0: nothing.")
    ] = 0.0,
    filter_by: Annotated[
        str | None,
        typer.Option("--filter-by", metavar="TEACHER", help="Whose scores: as --by, or cross-encoder:FOLDER."),
    ] = None,
    pick: Annotated[Literal["top", "random"], typer.Option(help="What is taken of the window.")] = "top",
    seed: Annotated[int, typer.Option(metavar="N", help="Of --pick random.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Drop negatives and scores that rows have.")] = False,
    max_length: Annotated[int, typer.Option(metavar="N", help="Tokens of a text that networks read.")] = 256,
    query: Annotated[str, typer.Option("--query", metavar="FIELD", help="Field of the query.")] = "query",
    pos: Annotated[str, typer.Option("--pos", metavar="FIELD", help="Field of its positive.")] = "pos",
    neg: Annotated[str, typer.Option("--neg", metavar="FIELD", help="Field of its negatives.")] = "neg",
    split: Annotated[str, typer.Option(metavar="NAME", help="Of beir:FOLDER.")] = "train",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Add hard negatives to training pairs.

    Texts that rank high for a query and are not among its positives, from a window of ranks; a teacher can leave out
    those that may answer it too. FILE appears when it is whole; a bad row stops the work and is named.
    """
    from dataclasses import asdict

    from lsr.training.offline import MineSettings, mine_negatives, parse_judge
    from lsr.training.tables_data import Source

    with steps() as moved:
        settings = MineSettings(
            negatives=negatives,
            first=first,
            last=last,
            ceiling=ceiling,
            filter_by=None if filter_by is None else parse_judge(filter_by),
            pick=pick,
            seed=seed,
            replace=replace,
            max_length=max_length,
        )
        report = mine_negatives(
            Source(pairs, query=query, positive=pos, negatives=neg, split=split),
            to,
            settings,
            by=None if by is None else parse_judge(by),
            index=index,
            corpus=corpus or (),
            moved=moved,
        )
    if json:
        print_json({"file": str(to), **asdict(report)})
        return
    short = f"; {count(report.short, 'row')} got fewer than {negatives}" if report.short else ""
    out = f"; {report.filtered:,} left out by the ceiling" if ceiling else ""
    found = f"{count(report.negatives, 'negative')} of {count(report.documents, 'document')}"
    show().print(f"{to}: {count(report.rows, 'row')}, {found}{short}{out}", markup=False, soft_wrap=True)
