"""A recipe: everything that a training run depends on, in one TOML file.

Knows the file's shape and the legal values. Its tables are described in the modules `tables_…`; what they
say is done elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsr.errors import InvalidSettingError
from lsr.training.losses import LOSSES, InfoNCE, KLDivergence, Loss, MarginMSE
from lsr.training.overrides import overridden, read_toml, spelled
from lsr.training.regularizers import REGULARIZERS, IdfFlops, Regularizer
from lsr.training.tables import read_table
from lsr.training.tables_data import Data, Mining, PseudoQueries, Sampling, Source
from lsr.training.tables_evaluate import Evaluate
from lsr.training.tables_optimizer import Optimizer
from lsr.training.tables_run import Controller, Ensemble, Idf, Run, Student, TeacherEntry

__all__ = [
    "Controller",
    "Data",
    "Ensemble",
    "Evaluate",
    "Idf",
    "Mining",
    "Optimizer",
    "PseudoQueries",
    "Recipe",
    "Run",
    "Sampling",
    "Source",
    "Student",
    "TeacherEntry",
    "read_recipe",
]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. `losses` and `regularizers` map a name to its settings, `weight` (λ) among them."""

    run: Run
    student: Student
    data: Data
    optimizer: Optimizer
    losses: dict[str, dict[str, Any]]
    regularizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    idf: Idf = field(default_factory=Idf)
    mining: tuple[Mining, ...] = ()
    teachers: tuple[TeacherEntry, ...] = ()
    ensemble: Ensemble = field(default_factory=Ensemble)
    controller: Controller = field(default_factory=Controller)
    evaluate: Evaluate = field(default_factory=Evaluate)

    def __post_init__(self) -> None:
        if not self.losses:
            raise InvalidSettingError("a recipe needs one loss at least, as [losses.kl]")
        self.weighted_losses()
        self.weighted_regularizers()
        names = [teacher.name for teacher in self.teachers]
        if len(set(names)) < len(names):
            raise InvalidSettingError(f"two teachers have the same name: {', '.join(names)}")
        taken = next((t for t in self.teachers if t.name == "bm25" and t.kind not in ("bm25", "dense")), None)
        if taken is not None:
            raise InvalidSettingError(f"a teacher of kind {taken.kind} is called bm25", remedy="Give it another name")
        minable = {"bm25", *(teacher.name for teacher in self.teachers if teacher.kind == "dense")}
        for mining in self.mining:
            if mining.by not in minable:
                raise InvalidSettingError(f"mining.by is {mining.by!r}, it must be one of {', '.join(sorted(minable))}")
        if self.idf.trainable and self.student.queries == "neural":
            raise InvalidSettingError("idf.trainable has no table to train: queries are neural")
        if not self.idf.matching and not any(isinstance(r, IdfFlops) for _, _, r in self.weighted_regularizers()):
            raise InvalidSettingError(
                "idf.matching = false leaves the table to regularizers.idf_flops, and there is none",
                remedy='Add it; for binary queries alone set idf.table = "none"',
            )
        self._check_losses()
        if self.evaluate.steps % self.run.log_steps:
            raise InvalidSettingError(
                f"evaluate.steps is {self.evaluate.steps}, it must be a multiple of run.log_steps, {self.run.log_steps}"
            )

    def _check_losses(self) -> None:
        """A loss that never sees what it compares trains nothing, and says nothing of it."""
        taught = any(teacher.weight > 0 for teacher in self.teachers)
        alone = self.batch_documents == self.sampling.queries
        for name, _, loss in self.weighted_losses():
            distils = isinstance(loss, KLDivergence | MarginMSE)
            if not taught and (distils or (isinstance(loss, InfoNCE) and loss.mask_false_negatives)):
                raise InvalidSettingError(
                    f"losses.{name} needs a teacher", remedy="Add a [[teachers]] table of a weight above 0"
                )
            if alone and (isinstance(loss, MarginMSE) or getattr(loss, "pool", "batch") == "own"):
                raise InvalidSettingError(
                    f"losses.{name} compares a query's own candidates, and each has its positive alone",
                    remedy="Set sampling.given_negatives, or sampling.mined_negatives with [[mining]]",
                )

    @property
    def data_seed(self) -> int:
        """Of what is held out and of pseudo-queries."""
        return self.run.seed if self.data.seed is None else self.data.seed

    @property
    def batch_documents(self) -> int:
        """Documents of one batch (on one device)."""
        each = 1 + self.sampling.given_negatives + self.sampling.mined_negatives * len(self.mining)
        return self.sampling.queries * each

    def weighted_losses(self) -> list[tuple[str, float, Loss]]:
        """(name, weight, loss) of each."""
        return _weighted("losses", self.losses, LOSSES)

    def weighted_regularizers(self) -> list[tuple[str, float, Regularizer]]:
        """(name, λ, regulariser) of each."""
        return _weighted("regularizers", self.regularizers, REGULARIZERS)


def _weighted(kind: str, tables: dict[str, dict[str, Any]], known: dict[str, Any]) -> list[tuple[str, float, Any]]:
    found = []
    for key, table in tables.items():
        settings = dict(table)
        weight = settings.pop("weight", 1.0)
        name = settings.pop("kind", key)  # two of a kind under two keys
        if name not in known:
            raise InvalidSettingError(f"{kind}.{key} is unknown; known are {', '.join(known)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise InvalidSettingError(f"{kind}.{key}.weight is {weight!r}, it must be 0 or more")
        found.append((key, float(weight), read_table(known[name], settings, f"{kind}.{key}", Path())))
    return found


def read_recipe(path: Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of a TOML file, some of its values replaced. Paths in both are relative to the file's folder.

    Parameters
    ----------
    path : Path
    overrides : mapping, optional
        Values of dotted keys, as `lsr.training.overrides` reads them.

    Raises
    ------
    RecipeError
        No such file, no TOML, or a key or value that a recipe does not have.
    """
    where = f"{path} with {', '.join(spelled(overrides))}" if overrides else str(path)
    table = overridden(read_toml(path), overrides or {})
    return read_table(Recipe, table, where, path.resolve().parent)
