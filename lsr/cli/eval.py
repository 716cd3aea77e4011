"""`lsr eval`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from lsr.eval.evaluate import EvaluationResult, Progress
    from lsr.eval.regressions import Outcome


def run(
    index: Annotated[
        Path | None, typer.Argument(metavar="INDEX", help="An index of the collection's documents; or use --encoder.")
    ] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", metavar="FOLDER|ID", help="A BEIR folder or an id of ir_datasets.")
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option("--documents", metavar="FILE", help="Files of your own instead of --collection: documents, …"),
    ] = None,
    queries: Annotated[Path | None, typer.Option("--queries", metavar="FILE", help="… queries, …")] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", metavar="FILE", help="… and judgements (TREC, TSV or JSONL).")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Which judgements; test by default.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME", help="Index the collection with this encoder, to a temporary place."),
    ] = None,
    encoder_setting: Annotated[
        list[str] | None,
        typer.Option("--encoder-setting", metavar="NAME=VALUE", help="For example k1=1.2; repeatable."),
    ] = None,
    query_idf: Annotated[
        str | None,
        typer.Option(
            "--query-idf", metavar="NAME", help="With --encoder, query weights from: model, collection, min, smoothed."
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure", metavar="NAME", help="A name of ir_measures; repeatable. By default nDCG@10, R@100, MRR@10."
        ),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", "-k", metavar="N", help="Hits a query; by default what the measures need.")
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", help="Searches side by side; no figure depends on it.")
    ] = 1,
    scoring: Annotated[
        Literal["impacts", "float"],
        typer.Option("--scoring", help="impacts: as served. float: the weights before quantisation, by SciPy."),
    ] = "impacts",
    search_option: Annotated[
        list[str] | None,
        typer.Option("--search-option", metavar="NAME=VALUE", help="An option of the search; repeatable."),
    ] = None,
    cost: Annotated[bool, typer.Option("--cost", help="Take latency, throughput and size too.")] = False,
    drop_self_matches: Annotated[
        bool | None, typer.Option(help="Leave out a hit with the query's own id; the collection's rule by default.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="FILE", help="Write the run as a TREC file, and its record (.json) beside it."),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="DIR", help="With --encoder, keep the index here for next time."),
    ] = None,
    regressions: Annotated[
        list[Path] | None,
        typer.Option("--regressions", metavar="PATH", help="Run the commands of these YAML files; judge the figures."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="With --regressions, what {data} stands for in them.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with the provenance of the figures.")] = False,
) -> None:
    """Evaluate an index, or an encoder, on a judged collection.

    Figures are means over all judged queries. With --regressions, run commands with expected values instead and report
    OK, OKish or FAIL; exits with 1 at a FAIL.

    See also lsr eval compare, explain and vocabulary; an index in a folder of such a name is ./compare.
    """
    from lsr.encoders.settings import parse_settings
    from lsr.errors import EvaluationError

    if regressions:
        others = (
            *(index, collection, split, encoder, encoder_setting, query_idf, measure, k, drop_self_matches, run),
            *(directory, documents, queries, qrels, search_option),
        )
        if any(option is not None for option in others) or threads != 1 or scoring != "impacts" or cost:
            raise EvaluationError("--regressions says itself what to evaluate", remedy="Leave the other options out")
        _regressions(regressions, data, json)
        return
    if data is not None:
        raise EvaluationError("--data is for --regressions only", remedy="Leave it out, or add --regressions PATH")
    if collection is None and qrels is None and documents is None and queries is None:
        raise EvaluationError("no collection is named", remedy="Add --collection FOLDER|ID, or --qrels FILE")
    from lsr.eval.command import EvalRequest
    from lsr.eval.measures import DEFAULT_MEASURES

    request = EvalRequest(
        collection=collection,
        index=None if index is None else str(index),
        encoder=encoder,
        settings=parse_settings(encoder_setting or []),
        query_idf=query_idf,
        split=split,
        measures=tuple(measure or DEFAULT_MEASURES),
        k=k,
        threads=threads,
        scoring=scoring,
        search=parse_settings(search_option or []),
        cost=cost,
        drop_self_matches=drop_self_matches,
        run=None if run is None else str(run),
        directory=None if directory is None else str(directory),
        documents=None if documents is None else str(documents),
        queries=None if queries is None else str(queries),
        qrels=None if qrels is None else str(qrels),
    )
    with _progress() as moved:
        result = request.execute(progress=moved, command=shlex.join(["lsr", *sys.argv[1:]]))
    _print_result(result, json)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress display that follows the steps of an evaluation."""
    from lsr.cli.output import progress

    with progress() as display:
        tasks = {}

        def moved(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = display.add_task(step, total=total, note="")
            display.update(tasks[step], completed=done, total=total, note=f"{done:,}")

        yield moved


def _print_result(result: EvaluationResult, json: bool) -> None:
    from lsr.cli.output import print_json, show, talk

    for warning in result.warnings:
        talk().print(f"note: {warning}", style="yellow", markup=False, soft_wrap=True)
    if json:
        print_json(result.to_dict())
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in result.measures.items():
        table.add_row(name, f"[bold]{value:.4f}[/]")
    collection = result.provenance["collection"]
    table.add_row(
        "queries", f"{result.queries:,} of {escape(collection['name'])}, {collection['documents'] or 0:,} documents"
    )
    if result.cost is not None:
        for label, field, unit in _COSTS:
            value = getattr(result.cost, field)
            if value is not None:
                table.add_row(label, f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}")
    show().print(table)


#: Lines of the cost: label, field of `Cost`, unit.
_COSTS = (
    ("p50", "p50_ms", "ms a query, one thread"),
    ("p95", "p95_ms", "ms"),
    ("p99", "p99_ms", "ms"),
    ("throughput", "queries_per_second", "queries/s"),
    ("index", "bytes_per_document", "bytes a document"),
    ("terms", "terms_per_document", "a document"),
    ("FLOPS", "flops", "postings a query and document"),
    ("indexing", "encode_documents_per_second", "documents/s"),
)


def _regressions(paths: list[Path], data: Path | None, json: bool) -> None:
    from lsr.cli.output import print_json, show
    from lsr.eval.regressions import run_regressions

    console = show()
    colours = {"OK": "green", "OKish": "yellow", "FAIL": "red", "SKIPPED": "dim"}

    def finished(outcome: Outcome) -> None:
        if not json:
            console.print(str(outcome), style=colours[str(outcome.verdict)], markup=False, soft_wrap=True)

    with _progress() as moved:
        report = run_regressions(paths, data, progress=moved, finished=finished)
    if json:
        print_json(report.to_dict())
    if not report.passed:
        raise typer.Exit(1)
