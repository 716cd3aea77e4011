"""Runs of a plan: several processes at a time on one device, each as if `lsr train` were called by hand.

Knows processes and what is done already. Knows nothing of figures.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lsr.errors import LsrError, TrainingError
from lsr.training.ablation.plan import Job
from lsr.training.ablation.results import result
from lsr.training.overrides import spelled

Say = Callable[[str], None]
#: In a run's folder: everything that it said.
SAID = "output.txt"
#: Seconds between two looks at the processes, and those that one has to end in.
_LOOK, _PATIENCE = 0.2, 20.0


def gather_for(recipe: Path, todo: Sequence[Job], say: Say) -> None:
    """Compute once what the runs share: data, teachers' vectors, mined negatives. In a process of its own, so that no
    memory of the device stays taken.

    Raises
    ------
    TrainingError
        It could not be done; why has been said.
    """
    child = multiprocessing.get_context("spawn").Process(target=_gather, args=(recipe, list(todo)))
    child.start()
    try:
        child.join()
    finally:
        if child.is_alive():
            child.terminate()
            child.join()
    if child.exitcode:
        raise TrainingError("the data of the runs could not be prepared", remedy="See above")
    say(f"what {len(todo)} runs share is in its cache")


def _gather(recipe: Path, todo: Sequence[Job]) -> None:
    from lsr.training.gather import gather

    seen = []
    for job in todo:
        needs = (job.recipe.data, job.recipe.student, job.recipe.teachers, job.recipe.mining)
        if needs in seen:
            continue
        seen.append(needs)
        try:
            gather(job.recipe, recipe, _tell)
        except LsrError as error:
            _tell(f"{job.variant.name}: {error}")
            sys.exit(1)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    since: float


def run_jobs(
    recipe: Path,
    todo: Sequence[Job],
    *,
    say: Say,
    at_once: int = 1,
    deadline: float | None = None,
    device: str | None = None,
    after_each: Callable[[], object] | None = None,
) -> dict[str, str]:
    """Run what is not done yet; a run that was interrupted goes on from its last checkpoint.

    Parameters
    ----------
    recipe : Path
    todo : sequence of Job
        Their shared data is gathered.
    say : callable
        Gets a line when a run begins and ends.
    at_once : int
        Processes at a time.
    deadline : float, optional
        `time.monotonic()` from which on nothing new is begun; what runs is let to its end.
    device : "cpu" or None
    after_each : callable, optional
        Called when a run has ended.

    Returns
    -------
    dict
        What those said last that failed, by the run's name. Others are not held up by them.
    """
    waiting, running, failed = list(todo), list[_Running](), dict[str, str]()
    try:
        while waiting or running:
            late = deadline is not None and time.monotonic() >= deadline
            if late and waiting:
                say(f"the time is over: {len(waiting)} runs are not begun")
                waiting = []
            while waiting and len(running) < at_once:
                running.append(_begin(recipe, waiting.pop(0), device))
                say(f"{running[-1].job.name}: begins")
            ended = [one for one in running if one.process.poll() is not None]
            for one in ended:
                running.remove(one)
                one.output.close()
                seconds = time.monotonic() - one.since
                if one.process.returncode:
                    failed[one.job.name] = _last_words(one.job.output / SAID)
                    say(f"{one.job.name}: failed after {seconds:.0f} s: {failed[one.job.name]}")
                else:
                    say(f"{one.job.name}: done in {seconds:.0f} s")
                if after_each is not None:
                    after_each()
            if not ended and running:
                time.sleep(_LOOK)
    finally:
        for one in running:  # something broke here, or we were told to stop
            one.process.terminate()
        for one in running:
            try:
                one.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            one.output.close()
    return failed


def unfinished(plan_jobs: Sequence[Job]) -> list[Job]:
    """Those that are not done."""
    return [job for job in plan_jobs if result(job) is None]


def _begin(recipe: Path, job: Job, device: str | None) -> _Running:
    command = [sys.executable, "-m", "lsr.cli", "train", str(recipe)]
    for setting in spelled(job.overrides):
        command += ["--set", setting]
    if device is not None:
        command += ["--device", device]
    job.output.mkdir(parents=True, exist_ok=True)
    output = (job.output / SAID).open("wb")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    return _Running(job, process, output, time.monotonic())


def _last_words(path: Path) -> str:
    """The error that a run ended with, else its last line."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("error: ")
