"""`log.jsonl`: a run's figures, a line each time they are taken. Light to import: no torch.

Knows that a run may be killed while a line is written, and that it goes on from a checkpoint before its last lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG = "log.jsonl"


def read_log(output: Path) -> list[dict[str, Any]]:
    """The rows of a run's folder, `step` in each; a line that a kill tore is left out. Empty without a log."""
    path = output / LOG
    rows = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def append_log(output: Path, step: int, figures: Mapping[str, float]) -> None:
    """Add a row."""
    with (output / LOG).open("a") as file:
        file.write(json.dumps({"step": step, **figures}) + "\n")


def cut_log(output: Path, step: int) -> None:
    """Drop the rows after `step`, that of the checkpoint which the run goes on from: it makes them again."""
    path = output / LOG
    if not path.is_file():
        return
    aside = output / f".{LOG}.{os.getpid()}"
    aside.write_text("".join(json.dumps(row) + "\n" for row in read_log(output) if row["step"] <= step))
    os.replace(aside, path)
