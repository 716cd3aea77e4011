"""The table of a recipe that says what a run is watched by.

Knows names, meanings and legal values.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lsr.training.tables import check_values


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Evaluation on judged collections while training, through an index of ours.

    Figures are for watching a run. **Choose nothing by test queries**: what is chosen on them no longer measures how
    the model does on questions that nobody has seen. So `split` is one that may be looked at, unless `on_test` says
    that the figures are for the record only.

    Parameters
    ----------
    judged : tuple of Path
        Folders in BEIR's layout, small ones: every evaluation encodes their whole corpus.
    split : str
        Whose queries: train, dev, validation or val.
    on_test : bool
        Allow any other split.
    steps : int
        Steps between two, a multiple of run.log_steps; 0: only at the end.
    measures : tuple of str
        Names of ir_measures.
    max_length : int
        Tokens of a document that are read.
    query_idf : str
        A setting of the index (model, collection, min, smoothed); the encoder's own choice by default.
    """

    judged: tuple[Path, ...] = ()
    split: str = "dev"
    on_test: bool = False
    steps: int = 0
    measures: tuple[str, ...] = ("nDCG@10", "RR@10", "R@100")
    max_length: int = 256
    query_idf: str = ""

    def __post_init__(self) -> None:
        tables = ("model", "collection", "min", "smoothed")
        seen = ("train", "dev", "validation", "val")
        check_values(
            "evaluate",
            split=(
                self.split,
                self.on_test or self.split in seen,
                f"one of {', '.join(seen)}; nothing may be chosen by other queries (on_test = true: for the record)",
            ),
            steps=(self.steps, self.steps >= 0, "0 or more"),
            measures=(self.measures, bool(self.measures), "one at least"),
            query_idf=(self.query_idf, self.query_idf in ("", *tables), f"one of {', '.join(tables)}"),
            max_length=(self.max_length, self.max_length >= 4, "4 or more"),
        )
