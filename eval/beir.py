#!/usr/bin/env python3
"""Evaluate systems on BEIR's sets, or on judged folders, one record each; run again, it continues where it stopped.

    python eval/beir.py --sets all --data ../shared/data --systems bm25 splade-tiny-doc
    python eval/beir.py --sets scifact nfcorpus --systems bm25,k1=1.2,b=0.75 bm25s --published eval/published/beir.yaml

A thin door: `lsr.eval.campaign` does the work, `lsr.eval.report` tells it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = found.add_argument
    add("--sets", nargs="+", default=["all"], help="BEIR's names, folders below --data, ids of ir_datasets, or all")
    add("--systems", nargs="+", required=True, help="NAME[,option=value…]: an encoder, index:DIR, run:FILE, bm25s, …")
    add("--data", type=Path, default=os.environ.get("LSR_DATA"), help="a folder with <set>/ or beir/<set>/")
    add("--out", type=Path, default=Path("eval/runs"), help="where records, runs and the report go")
    add("--indexes", type=Path, help="where indexes are kept; OUT/indexes by default")
    add("--measures", nargs="+", default=["nDCG@10", "R@100", "R@1000", "MRR@10", "AP"], help="names of ir_measures")
    add("--threads", type=int, default=1, help="for throughput; no figure of quality depends on it")
    add("--no-cost", action="store_true", help="do not take latency, throughput and size")
    add("--baseline", help="label of the system that the others are compared with; the first")
    add("--published", type=Path, help="published figures as columns: eval/published/beir.yaml")
    add("--columns", nargs="+", default=[], help="only these columns of --published")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    from lsr.cli.output import fail
    from lsr.errors import LsrError

    asked = parser().parse_args(arguments)
    try:
        return run(asked)
    except LsrError as error:
        fail(error)


def run(asked: argparse.Namespace) -> int:
    from lsr.eval.campaign import Campaign, Step, run_campaign
    from lsr.eval.comparison import Comparison
    from lsr.eval.published import read_published
    from lsr.eval.report import FORMATS, build_report, write_report
    from lsr.eval.systems import parse_system

    campaign = Campaign(
        sets=tuple(asked.sets),
        systems=tuple(map(parse_system, asked.systems)),
        out=asked.out,
        data=None if asked.data is None else Path(asked.data),
        indexes=asked.indexes,
        measures=tuple(asked.measures),
        threads=asked.threads,
        cost=not asked.no_cost,
    )
    columns = read_published(asked.published, asked.columns) if asked.published else []

    def finished(step: Step) -> None:
        if step.record is None:
            print(f"FAIL  {step.set}  {step.system}: {step.failure}", flush=True)
            return
        figures = "  ".join(f"{name} {value:.4f}" for name, value in step.record.measures.items())
        print(f"{'kept' if step.kept else 'done'}  {step.set}  {step.system}  {figures}", flush=True)

    steps = run_campaign(campaign, finished=finished, command=shlex.join(["python", "eval/beir.py", *sys.argv[1:]]))
    records = [step.record for step in steps if step.record is not None]
    if records:
        report = build_report(Comparison(records, baseline=asked.baseline), published=columns)
        for suffix in FORMATS:
            write_report(asked.out / f"report{suffix}", report)
        print(f"report: {asked.out / 'report.html'}")
    return 1 if len(records) < len(steps) else 0


if __name__ == "__main__":
    sys.exit(main())
