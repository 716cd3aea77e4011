"""Figures that must come out again: commands with expected values, kept as YAML, run through the CLI's own path.

Knows verdicts; knows nothing of how a command is evaluated (`command` does).
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lsr.errors import EvaluationError, InvalidSettingError, LsrError, MissingExtraError
from lsr.eval.catalogue import is_here
from lsr.eval.command import EvalRequest, parse_command
from lsr.eval.evaluate import EvaluationResult, Progress
from lsr.eval.measures import parse_measures

#: In a command, the folder that holds `beir/`.
DATA = "{data}"


class Verdict(StrEnum):
    """OK: within the tolerance. OKish: within twice the tolerance. FAIL: beyond, or the evaluation itself failed.
    SKIPPED: the collection is not on this machine.
    """

    OK = "OK"
    OKISH = "OKish"
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Regression:
    """One expected figure.

    Parameters
    ----------
    name : str
        Unique among the files that run together.
    command : str
        An `lsr eval …` line; `{data}` stands for the folder that holds the collections.
    minus : str, optional
        A second command: the figure is then the first's minus the second's.
    measure : str
        What is compared.
    expected, tolerance : float
        OK within the tolerance, OKish within twice as much.
    about : str
        Where the expected value comes from.
    """

    name: str
    command: str
    measure: str
    expected: float
    tolerance: float
    minus: str | None = None
    about: str = ""

    def verdict(self, figure: float) -> Verdict:
        """How far off a figure is. A figure at the very edge, as far as six decimals tell, is inside."""
        off = round(abs(figure - self.expected), 6)
        if off <= self.tolerance:
            return Verdict.OK
        return Verdict.OKISH if off <= round(2 * self.tolerance, 6) else Verdict.FAIL


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a regression: `figure` is None and `reason` says why where there is none."""

    regression: Regression
    verdict: Verdict
    figure: float | None
    reason: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self.regression),
            "verdict": str(self.verdict),
            "figure": self.figure,
            "reason": self.reason,
            "seconds": round(self.seconds, 2),
        }

    def __str__(self) -> str:
        wanted = f"{self.regression.measure} {self.regression.expected:.4f} ± {self.regression.tolerance:.4f}"
        found = self.reason if self.figure is None else f"{self.figure:.4f}"
        return f"{self.verdict:<7} {self.regression.name}: {wanted}, found {found}"


@dataclass(frozen=True, slots=True)
class RegressionReport:
    """All outcomes in order. `passed`: something ran, and nothing failed."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        verdicts = [outcome.verdict for outcome in self.outcomes]
        return Verdict.FAIL not in verdicts and any(verdict is not Verdict.SKIPPED for verdict in verdicts)

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "regressions": [outcome.to_dict() for outcome in self.outcomes]}


def parse(path: str | Path) -> list[Regression]:
    """The regressions of a YAML file (a list), or of every `*.yaml` in a folder.

    Raises
    ------
    EvaluationError
        No such file, not a list of mappings, a missing, unknown or ill-typed field, a command or measure that cannot be
        read, a name used twice; the message names file and entry.
    MissingExtraError
        PyYAML is not installed.
    """
    place = Path(path)
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files:
        raise EvaluationError(f"no *.yaml in {place}")
    return _unique([regression for file in files for regression in _read(file)])


def run_regressions(
    paths: Iterable[str | Path],
    data: str | Path | None = None,
    *,
    progress: Progress | None = None,
    started: Callable[[Regression], None] | None = None,
    finished: Callable[[Outcome], None] | None = None,
) -> RegressionReport:
    """Run every regression of the files or folders.

    A command that several regressions share runs once, and one collection is encoded once for each encoder.

    Parameters
    ----------
    paths : files or folders
        See `parse`.
    data : str or Path, optional
        What `{data}` stands for. Regressions whose collection is not there are SKIPPED.
    progress : callable, optional
        Handed on to the evaluations.
    started, finished : callable, optional
        Told before and after each regression.
    """
    regressions = _unique([regression for path in paths for regression in parse(path)])
    folder = Path(tempfile.mkdtemp(prefix="lsr-regressions-"))
    results: dict[str, EvaluationResult | Exception] = {}

    def run(command: str) -> EvaluationResult:
        if command not in results:
            results[command] = _attempt(command, data, folder, progress)
        result = results[command]
        if isinstance(result, Exception):
            raise result
        return result

    outcomes = []
    try:
        for regression in regressions:
            if started:
                started(regression)
            outcome = execute(regression, run, data)
            outcomes.append(outcome)
            if finished:
                finished(outcome)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return RegressionReport(tuple(outcomes))


def execute(regression: Regression, run: Callable[[str], EvaluationResult], data: str | Path | None = None) -> Outcome:
    """Judge one regression, `run` giving the result of a command (with `{data}` still in it).

    Whatever the evaluation raises is a FAIL with its reason, never a figure.
    """
    if reason := _absent(regression, data):
        return Outcome(regression, Verdict.SKIPPED, None, reason)
    began = time.perf_counter()
    try:
        figure = run(regression.command).measures[regression.measure]
        if regression.minus is not None:
            figure -= run(regression.minus).measures[regression.measure]
    except Exception as error:  # the one place where anything is caught: it is reported as a failure
        reason = str(error) if isinstance(error, LsrError) else f"{type(error).__name__}: {error}"
        return Outcome(regression, Verdict.FAIL, None, f"the evaluation failed: {reason}", time.perf_counter() - began)
    return Outcome(regression, regression.verdict(figure), figure, "", time.perf_counter() - began)


def _attempt(
    command: str, data: str | Path | None, folder: Path, progress: Progress | None
) -> EvaluationResult | Exception:
    line = command.replace(DATA, shlex.quote(str(data)))
    try:
        request = parse_command(line)
        if request.index is None and request.directory is None:
            request = replace(request, directory=str(folder))
        return request.execute(progress=progress, command=line)
    except Exception as error:  # raised again by every regression that needs this command
        return error


def _absent(regression: Regression, data: str | Path | None) -> str:
    """Why the collections of a regression are not here; empty where they are, or where the evaluation must tell."""
    for command in filter(None, (regression.command, regression.minus)):
        if DATA in command and data is None:
            return "no folder of collections is named (--data)"
        request = parse_command(command.replace(DATA, shlex.quote(str(data))))
        for place in (request.collection, request.documents, request.queries, request.qrels):
            if place is not None and DATA in command and not is_here(place):
                return f"{place} is not there"
        if request.collection is not None and not is_here(request.collection):
            return f"{request.collection} is not on this machine (lsr datasets get)"
    return ""


def _unique(regressions: Sequence[Regression]) -> list[Regression]:
    names = [regression.name for regression in regressions]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"two regressions have the name {name!r}")
    return list(regressions)


def _read(path: Path) -> list[Regression]:
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtraError("reading regressions", "eval") from None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, list) or not content:
        raise EvaluationError(f"{path} is not a list of regressions")
    return [_entry(f"{path}, entry {number}", entry) for number, entry in enumerate(content, 1)]


def _entry(where: str, entry: Any) -> Regression:
    texts, numbers = {"name", "command", "minus", "measure", "about"}, {"expected", "tolerance"}
    if not isinstance(entry, dict):
        raise EvaluationError(f"{where}: not a mapping")
    if unknown := sorted(map(str, entry.keys() - texts - numbers)):
        raise EvaluationError(f"{where}: unknown field {unknown[0]!r}")
    for name in ("name", "command", "measure", "expected", "tolerance"):
        if name not in entry:
            raise EvaluationError(f"{where}: the field {name!r} is missing")
    for name, value in entry.items():
        fits = isinstance(value, str) if name in texts else isinstance(value, int | float) and value == value
        if not fits or isinstance(value, bool):
            raise EvaluationError(f"{where}: {name} is {value!r}")
    if entry["tolerance"] < 0:
        raise EvaluationError(f"{where}: the tolerance is negative")
    regression = Regression(**{**entry, "expected": float(entry["expected"]), "tolerance": float(entry["tolerance"])})
    try:
        for command in filter(None, (regression.command, regression.minus)):
            _needs(parse_command(command), regression.measure)
        parse_measures([regression.measure])
    except (EvaluationError, InvalidSettingError) as error:
        raise EvaluationError(f"{where}: {error.message}", remedy=error.remedy) from None
    return regression


def _needs(request: EvalRequest, measure: str) -> None:
    if measure not in request.measures:
        raise EvaluationError(
            f"the command does not measure {measure}",
            remedy=f"Add --measure {measure}, or expect {request.measures[0]}",
        )
