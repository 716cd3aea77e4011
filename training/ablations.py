"""Ablations of a recipe: variants × seeds with the same budget, N at a time on one device, and a table with tests.

    python training/ablations.py training/ablations.toml --at-once 3 --minutes 25 --to training/results/ablations.md

The same command goes on where it was stopped: a run that is done is not run again. --prepare only computes what the
runs share (data, teachers' vectors, mined negatives): on a machine that has the sources, for one that gets `data.cache`
alone. --report runs nothing and compares what is done. --at-terms N compares done runs with their biases lowered until
a held-out document has N terms on average, which is equal sparsity whatever the controller reached. The table is
written anew whenever a run ends; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lsr.errors import LsrError, TrainingError
from lsr.eval.provenance import cpu_model
from lsr.training.ablation.matched import measure_at_terms
from lsr.training.ablation.plan import Job, Plan, jobs, read_plan
from lsr.training.ablation.report import as_markdown, compare
from lsr.training.ablation.results import result
from lsr.training.ablation.running import gather_for, run_jobs, unfinished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path, help="a plan as ablations.toml")
    parser.add_argument("--at-once", type=int, default=1, help="processes at a time (default: 1)")
    parser.add_argument("--minutes", type=float, help="begin no run after so many")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the plan's seeds, only these")
    parser.add_argument("--variants", nargs="+", help="of the plan's variants, only these")
    parser.add_argument("--device", choices=("cpu",), help="by default a GPU where there is one")
    parser.add_argument("--prepare", action="store_true", help="only compute what the runs share")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--at-terms", type=float, metavar="N", help="compare at N terms a document; runs nothing")
    parser.add_argument("--to", type=Path, help="write the table here")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that our processes are ended too
    start = time.monotonic()
    try:
        follow(arguments, start)
    except LsrError as error:
        say(f"error: {error}")
        sys.exit(1)


def follow(arguments: argparse.Namespace, start: float) -> None:
    plan = read_plan(arguments.plan)
    every = jobs(plan)
    chosen = [job for job in unfinished(every) if wanted(job, plan, arguments)]
    for name in set(arguments.variants or ()) - {variant.name for variant in plan.variants}:
        sys.exit(f"error: {arguments.plan} has no variant {name!r}")
    say(f"{len(every)} runs, {len(chosen)} to do")
    failed: dict[str, str] = {}

    def report() -> str:
        """The table, which is written too, and the JSON object."""
        found = [result(job, arguments.at_terms) for job in every]
        lacking = "not run" if arguments.at_terms is None else "not measured"
        missing = {job.name: lacking for job, one in zip(every, found, strict=True) if one is None}
        rows = compare(plan, [one for one in found if one is not None])
        table = f"# Ablations ({time.strftime('%Y-%m-%d')})\n\n{made_by(arguments)}\n"
        if arguments.at_terms is not None:
            table += f"Biases lowered until a held-out document has {arguments.at_terms:g} terms on average.\n"
        table += as_markdown(plan, rows, missing | failed)
        if arguments.to is not None:
            arguments.to.parent.mkdir(parents=True, exist_ok=True)
            arguments.to.write_text(table)
        variants = {row.variant.name: row.to_dict() for row in rows}
        return table + json.dumps({"recipe": plan.recipe.name, "variants": variants, "missing": missing | failed})

    if arguments.at_terms is not None:
        failed |= measured(plan, [job for job in every if wanted(job, plan, arguments)], arguments)
        print(report())
        sys.exit(bool(failed))
    if chosen and not arguments.report:
        gather_for(plan.recipe, chosen, say)
    if not arguments.report and not arguments.prepare:
        deadline = None if arguments.minutes is None else start + 60 * arguments.minutes
        failed |= run_jobs(
            plan.recipe,
            chosen,
            say=say,
            at_once=arguments.at_once,
            deadline=deadline,
            device=arguments.device,
            after_each=report,
        )
    if not arguments.prepare:
        print(report())
    if failed:
        sys.exit(1)


def wanted(job: Job, plan: Plan, arguments: argparse.Namespace) -> bool:
    """Whether --seeds and --variants name it."""
    of_seeds = job.seed in (arguments.seeds or plan.seeds)
    return of_seeds and (not arguments.variants or job.variant.name in arguments.variants)


def measured(plan: Plan, some: list[Job], arguments: argparse.Namespace) -> dict[str, str]:
    """Measure done runs at equal terms; what those said that could not be, by their names."""
    failed = {}
    for job in some:
        if result(job) is None or result(job, arguments.at_terms) is not None:
            continue
        try:
            measure_at_terms(job, plan.recipe, arguments.at_terms, device=arguments.device, say=say)
        except TrainingError as error:
            failed[job.name] = str(error).splitlines()[0]
            say(f"{job.name}: {failed[job.name]}")
    return failed


def made_by(arguments: argparse.Namespace) -> str:
    """The command and the machine."""
    machine = cpu_model()
    if arguments.device != "cpu" and shutil.which("nvidia-smi"):
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False
        )
        machine = asked.stdout.strip().splitlines()[0] if asked.stdout.strip() else machine
    return f"`python training/ablations.py training/{arguments.plan.name} --at-once {arguments.at_once}` on {machine}."


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
