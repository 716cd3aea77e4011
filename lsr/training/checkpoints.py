"""What is where in a run's folder, and which checkpoints are whole. Light to import: no torch."""

from __future__ import annotations

from pathlib import Path

#: Written into a checkpoint when everything else is.
COMPLETE = "complete"
#: The finished model, in a run's folder.
MODEL = "model"
#: Beside it: its held-out figures and what each held-out query gave.
HELD_OUT = "heldout.json"


def last_complete(output: Path) -> Path | None:
    """The complete checkpoint of the most steps in a run's folder."""
    found = [path for path in output.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    return max(found, key=steps_of, default=None)


def steps_of(checkpoint: Path) -> int:
    """Steps that its folder's name says."""
    return int(checkpoint.name.rpartition("-")[2])


def trained_model(path: Path) -> Path:
    """The model of a run's folder, else its last complete checkpoint; any other folder itself."""
    if (path / MODEL / "config.json").is_file():
        return path / MODEL
    return last_complete(path) or path
