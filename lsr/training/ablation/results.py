"""What a finished run left: its held-out figures, and each held-out query's reciprocal rank.

Knows the files of a run's folder. Knows nothing of other runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.errors import RecipeError
from lsr.training.ablation.plan import Job
from lsr.training.checkpoints import HELD_OUT, MODEL
from lsr.training.claim import holds_another
from lsr.training.log import read_log

#: Figures by name, as the table has them; `kl` is the mean of the log's last entry, over the batches of the variant.
FIGURES = ("mrr", "recall", "terms", "flops", "ubiquitous", "kl")


def held_out_file(job: Job, terms: float | None = None) -> Path:
    """In the run's folder: its held-out figures as it ended, or at so many terms a document."""
    return job.output / (HELD_OUT if terms is None else f"heldout-{terms:g}.json")


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run.

    figures : dict of str to float
        Of `FIGURES`, those that there are.
    pool : tuple
        What reciprocal ranks depend on besides the model: equal pools can be compared query by query.
    reciprocal : float64 ndarray of shape (queries,)
        1 / rank of each, weighted so that their mean is the mean over domains.
    """

    job: Job
    figures: dict[str, float]
    pool: tuple[str, tuple[int, ...], int]
    reciprocal: NDArray[np.float64]


def result(job: Job, terms: float | None = None) -> Result | None:
    """The result of a run, None where it is not done, or not measured at so many terms.

    Raises
    ------
    RecipeError
        The folder holds a run of another recipe or seed: the plan was changed since.
    """
    if holds_another(job.recipe, job.output):
        raise RecipeError(
            f"{job.output} holds a run of another recipe or seed",
            remedy="Remove the folder to run it anew, or choose another output for the changed plan",
        )
    held = held_out_file(job, terms)
    if not (held.is_file() and (job.output / MODEL / "config.json").is_file()):
        return None
    record = json.loads(held.read_text())
    figures = {name: float(record[f"heldout_{name}"]) for name in FIGURES if f"heldout_{name}" in record}
    rows = read_log(job.output)
    weight = job.recipe.losses.get("kl", {}).get("weight", 1.0)
    divergence = [row["loss_kl"] / weight for row in rows if "loss_kl" in row and weight]
    if divergence:
        figures["kl"] = divergence[-1]
    _, places, counts = np.unique(record["domain"], return_inverse=True, return_counts=True)
    share = len(places) / (len(counts) * counts[places])
    return Result(
        job,
        figures,
        (record["data"], tuple(record["query"]), record["heldout_documents"]),
        np.array(record["reciprocal_rank"], np.float64) * share,
    )
