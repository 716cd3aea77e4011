"""`lsr distill-scores`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lsr.cli.output import count, print_json, show, steps


def run(
    pairs: Annotated[
        str, typer.Argument(metavar="PAIRS", help="JSONL or Parquet with query, pos and neg, as `lsr mine` writes it.")
    ],
    teacher: Annotated[
        list[str],
        typer.Option(
            "--teacher",
            metavar="TEACHER[@WEIGHT]",
            help="bm25, dense:FOLDER, sparse:ENCODER or cross-encoder:FOLDER; repeatable: their weighted mean.",
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new JSONL file; .gz compresses it.")],
    normalise: Annotated[
        Literal["minmax", "none"], typer.Option(help="minmax: each teacher from 0 to 1 within a row; none: raw scores.")
    ] = "minmax",
    scale: Annotated[float, typer.Option(metavar="S", help="What the mean is multiplied by.")] = 1.0,
    max_length: Annotated[int, typer.Option(metavar="N", help="Tokens of a text that networks read.")] = 256,
    query: Annotated[str, typer.Option("--query", metavar="FIELD", help="Field of the query.")] = "query",
    pos: Annotated[str, typer.Option("--pos", metavar="FIELD", help="Field of its positive.")] = "pos",
    neg: Annotated[str, typer.Option("--neg", metavar="FIELD", help="Field of its negatives.")] = "neg",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Add teachers' scores to training pairs.

    Each row gets `scores`: of its positive, then of each negative. A recipe uses them by a teacher of kind "scores".
    FILE appears when it is whole; a bad row stops the work and is named.
    """
    from dataclasses import asdict

    from lsr.training.offline import distill_scores, parse_judge
    from lsr.training.tables_data import Source

    with steps() as moved:
        report = distill_scores(
            Source(pairs, query=query, positive=pos, negatives=neg),
            to,
            [parse_judge(text) for text in teacher],
            normalise=normalise,
            scale=scale,
            max_length=max_length,
            moved=moved,
        )
    if json:
        print_json({"file": str(to), **asdict(report)})
        return
    without = f"; {count(report.without, 'row')} without negatives got none" if report.without else ""
    share = f"the positive is first in {report.positive_first:.0%} of them"
    line = f"{to}: {count(report.rows, 'row')}, {count(report.scores, 'score')}; {share}{without}"
    show().print(line, markup=False, soft_wrap=True)
