"""`run.json`: what a run's folder says about itself, so that a run of other settings does not go on in it.

Knows which settings make two runs one. Light to import: no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsr.errors import RecipeError
from lsr.training.checkpoints import MODEL, last_complete
from lsr.training.recipe import Recipe

RUN = "run.json"
#: Parts of a recipe that may change between a run and its continuation.
_FREE = ("run", "evaluate")
#: Keys, with their defaults, that earlier versions did not write: their runs go on.
_LATER: dict[str, dict[str, Any]] = {
    "data": {"seed": None},
    "controller": {"terms_least": 0.0, "bias_rate": 0.0},
    "idf": {"matching": True},
}


def claim(recipe: Recipe, output: Path, overrides: Mapping[str, Any] | None = None) -> None:
    """Make the run's folder with its `run.json`, or check that it is a run of this recipe.

    Parameters
    ----------
    recipe : Recipe
    output : Path
    overrides : mapping, optional
        What of the recipe was overridden; written down.

    Raises
    ------
    RecipeError
        The folder holds what another recipe or another seed has trained, or what is no run's; or it cannot be made.
    """
    foreign = [] if (output / RUN).is_file() else [*output.glob("checkpoint-*"), *output.glob(MODEL)]
    if foreign:  # a run removes checkpoints and replaces its model: not those of others
        raise RecipeError(
            f"{output} has a {foreign[0].name} that is not of a run of lsr train", remedy="Choose another run.output"
        )
    if holds_another(recipe, output):
        raise RecipeError(
            f"{output} holds a run of another recipe or seed", remedy="Choose another run.output, or remove the folder"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(f"run.output {output} cannot be made: {error.strerror}", remedy="Choose another") from None
    record = {"recipe": _record(recipe), "seed": recipe.run.seed, "overrides": dict(overrides or {})}
    aside = output / f".{RUN}.{os.getpid()}"
    aside.write_text(json.dumps(record, indent=1, default=str))
    os.replace(aside, output / RUN)


def holds_another(recipe: Recipe, output: Path) -> bool:
    """Whether another recipe or seed has trained something in this folder: one that failed before has no claim."""
    file = output / RUN
    if not file.is_file() or (last_complete(output) is None and not (output / MODEL).is_dir()):
        return False
    found = json.loads(file.read_text())
    for table, defaults in _LATER.items():
        found["recipe"][table] = defaults | found["recipe"].get(table, {})
    return bool(found["recipe"] != _record(recipe) or found["seed"] != recipe.run.seed)


def _record(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON has it, without what may change."""
    kept = {key: value for key, value in asdict(recipe).items() if key not in _FREE}
    found: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return found
