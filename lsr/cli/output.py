"""What the verbs share: errors, JSON, progress. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from lsr.errors import LsrError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

#: Control characters: in a terminal they do things. A document's own must do nothing.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�") | dict.fromkeys(map(ord, "\t\n\v\f\r\x85"), " ")


def fail(error: LsrError, note: str = "") -> NoReturn:
    """Say what is wrong and what to do (and, in `note`, what was done), and exit with 1."""
    from rich.markup import escape

    console = talk()
    console.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    for line in (error.remedy, note):
        if line:
            console.print(f"[dim]{escape(line)}[/]", soft_wrap=True)
    raise SystemExit(1)


def talk() -> Console:
    """The console for everything that is not a result: standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def show() -> Console:
    """The console for results: standard output."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON value on standard output, nothing else."""
    utf8 = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def accept_any_text() -> None:
    """Let standard output and error write what their encoding cannot hold as escapes, instead of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """`text` on one line, as long as it was, without anything that a terminal would obey."""
    return text.translate(_CONTROLS)


def count(number: int, noun: str) -> str:
    """`1 document`, `1,200 documents`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on a terminal's standard error; silent where that is none. Tasks have a field `note`."""
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """Share and time left where the end is known, else the time taken."""

        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            if task.total is None:
                return Text(_clock(task.elapsed))
            left = "" if task.time_remaining is None else f", {_clock(task.time_remaining)} left"
            return Text(f"{task.percentage:.0f}%{left}")

    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        Left(),
        TextColumn(" {task.fields[note]}"),
    ]
    console = talk()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as display:
        yield display


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress display of steps one after another: a function of what is done, how much of it, and of how much.

    For work whose result appears when it is whole: an interrupt and an error end the program, each with its line.
    """
    tasks: dict[str, TaskID] = {}
    try:
        with progress() as display:

            def moved(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = display.add_task(printable(what), total=total, note="")
                display.update(tasks[what], completed=done, total=total, note=f"{done:,} of {total:,}")

            yield moved
    except KeyboardInterrupt:
        talk().print("Stopped: nothing was written.", markup=False)
        raise SystemExit(130) from None
    except LsrError as error:
        fail(error)


def _clock(seconds: float | None) -> str:
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
