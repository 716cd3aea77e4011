"""A plan of ablations: which variants of a recipe are run with which seeds, and how long.

Knows the plan's file and what each run is called by. Knows nothing of how runs are done or compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsr.errors import RecipeError
from lsr.training.overrides import parse_overrides, read_toml
from lsr.training.recipe import Recipe, read_recipe
from lsr.training.tables import check_values, read_table

#: What the plan decides itself.
_OURS = ("run.output", "run.name", "run.seed")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train.

    Parameters
    ----------
    name : str
    what : str
        For the table's reader.
    set : tuple of str
        Its differences from the recipe: KEY=VALUE each, as `lsr train --set` takes them.
    """

    name: str
    what: str = ""
    set: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        plain = self.name.replace("-", "").replace("_", "").isalnum()
        check_values("variants", name=(self.name, plain, "letters, digits, - _"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared.

    Parameters
    ----------
    recipe : Path
    output : Path
        Folder of the runs, `VARIANT-SEED` each.
    variants : tuple of Variant
        The first is the baseline of all tests.
    seeds : tuple of int
        Of the weights and the batches. Data is held out, and pseudo-queries are made, by the recipe's seed.
    documents : int
        Documents that each run is trained on: its steps follow from the size of its batches. 0: the recipe's steps.
    set : tuple of str
        KEY=VALUE for all variants, which go before it.
    """

    recipe: Path
    output: Path
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    documents: int = 0
    set: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        check_values(
            "plan",
            variants=(names, bool(names) and len({*names}) == len(names), "one [[variants]] at least, all of one name"),
            seeds=(self.seeds, bool(self.seeds) and len({*self.seeds}) == len(self.seeds), "one at least, each once"),
            documents=(self.documents, self.documents >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One run: `overrides` of the plan's recipe, and the recipe with them."""

    variant: Variant
    seed: int
    overrides: Mapping[str, Any]
    recipe: Recipe

    @property
    def name(self) -> str:
        """What the run and its folder are called."""
        return f"{self.variant.name}-{self.seed}"

    @property
    def output(self) -> Path:
        """The run's folder."""
        return self.recipe.run.output


def read_plan(path: Path) -> Plan:
    """The plan of a TOML file. Paths in it are relative to the file's folder.

    Raises
    ------
    RecipeError
        No such file, no TOML, or a key or value that a plan does not have.
    """
    return read_table(Plan, read_toml(path), str(path), path.resolve().parent)


def jobs(plan: Plan) -> list[Job]:
    """All runs, seed by seed, so that the first to be done can be compared.

    Raises
    ------
    RecipeError
        A setting that a recipe does not have, or that the plan decides itself; a variant without held-out queries.
    """
    return [_job(plan, variant, seed) for seed in plan.seeds for variant in plan.variants]


def _job(plan: Plan, variant: Variant, seed: int) -> Job:
    overrides = parse_overrides((*plan.set, *variant.set))
    for key in overrides:
        if key in _OURS or (key == "optimizer.steps" and plan.documents):
            raise RecipeError(f"variant {variant.name} sets {key}", remedy="The plan decides it: leave it out")
    plain = read_recipe(plan.recipe, overrides)
    if not plain.data.holdout:
        raise RecipeError(f"variant {variant.name} holds out no queries", remedy="Set data.holdout: they are compared")
    name = f"{variant.name}-{seed}"
    overrides |= {
        "data.seed": plain.data_seed,
        "run.seed": seed,
        "run.name": f"{plain.run.name}-{name}",
        "run.output": str((plan.output / name).resolve()),
    }
    if plan.documents:
        a_step = plain.batch_documents * plain.optimizer.accumulation
        overrides["optimizer.steps"] = max(1, round(plan.documents / a_step))
    return Job(variant, seed, overrides, read_recipe(plan.recipe, overrides))
