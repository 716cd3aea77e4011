"""Which checkpoints of a run's folder are whole. Light to import: no torch."""

from __future__ import annotations

from pathlib import Path

#: Written into a checkpoint when everything else is.
COMPLETE = "complete"
#: The finished model, in a run's folder.
MODEL = "model"


def last_complete(output: Path) -> Path | None:
    """The complete checkpoint of the most steps in a run's folder."""
    found = [path for path in output.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def steps_of(output: Path) -> int:
    """Steps of that checkpoint; 0 where there is none."""
    found = last_complete(output)
    return 0 if found is None else int(found.name.rpartition("-")[2])


def trained_model(path: Path) -> Path:
    """The model of a run's folder, else its last complete checkpoint; any other folder itself."""
    if (path / MODEL / "config.json").is_file():
        return path / MODEL
    return last_complete(path) or path
