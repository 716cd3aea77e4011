"""What the verbs share: errors, JSON, progress. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from lsr.errors import LsrError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def fail(error: LsrError) -> NoReturn:
    """Say what is wrong and what to do, and exit with 1."""
    from rich.markup import escape

    console = talk()
    console.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True, highlight=False)
    if error.remedy:
        remedy = error.remedy[0].upper() + error.remedy[1:]
        console.print(f"[dim]{escape(remedy)}[/]", soft_wrap=True, highlight=False)
    raise SystemExit(1)


def talk() -> Console:
    """The console for everything that is not a result: standard error."""
    from rich.console import Console

    return Console(stderr=True)


def show() -> Console:
    """The console for results: standard output."""
    from rich.console import Console

    return Console()


def print_json(value: Any) -> None:
    """One JSON value on standard output, nothing else."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress(*, bytes_known: bool = False) -> Iterator[Progress]:
    """A progress display on a terminal's standard error; silent where that is none."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%") if bytes_known else TextColumn(""),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    ]
    console = talk()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as display:
        yield display
