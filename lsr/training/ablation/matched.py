"""Done runs measured anew at equal terms: what they rank like when all have as many postings.

Runs of the same controller end with different numbers of terms, and more terms rank better whatever else differs.
Knows a run's model and its data; the arithmetic is `lsr.training.heldout`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsr.encoders.manifest import IDF, TOKENIZER
from lsr.errors import RecipeError
from lsr.training.ablation.plan import Job
from lsr.training.ablation.results import held_out_file
from lsr.training.checkpoints import MODEL
from lsr.training.data.prepare import prepare
from lsr.training.query_idf import saved_table


def measure_at_terms(
    job: Job, recipe: Path, terms: float, *, device: str | None = None, say: Callable[[str], None]
) -> None:
    """Write the held-out figures of a done run, its biases lowered until a document has `terms` on average.

    Parameters
    ----------
    job : Job
    recipe : Path
        The plan's, which paths are relative to.
    terms : float
        Above 0 and at most what the run has.
    device : str, optional
        A GPU where there is one.
    say : callable
        Gets a line.

    Raises
    ------
    RecipeError
        `terms` is no number above 0.
    TrainingError
        The run has fewer.
    """
    if not 0 < terms < float("inf"):
        raise RecipeError(f"terms is {terms}, it must be above 0")
    import torch

    from lsr.training.heldout import evaluate_held_out
    from lsr.training.student import load_student

    model, settings = job.output / MODEL, job.recipe
    data = prepare(
        settings.data,
        model / TOKENIZER,
        settings.student.max_length,
        recipe.resolve().parent,
        settings.data_seed,
        _quiet,
    )
    table = None
    if settings.student.queries != "neural":
        table = saved_table(model / IDF, model / TOKENIZER, data.manifest.vocabulary)
    student = load_student(
        model,
        head="keep",
        idf=table,
        trainable_idf=False,
        special_ids=data.manifest.special_ids,
        seed=settings.run.seed,
    )
    student.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    found = evaluate_held_out(student, data, settings.data_seed, terms=terms)
    assert found is not None  # a plan without held-out queries is refused when it is read
    found.write(held_out_file(job, terms), data.manifest.key)
    say(f"{job.name}: MRR@10 {found.mrr:.4f} at {found.terms:.1f} terms")


def _quiet(line: str) -> None:
    """What is prepared was said when the run was made."""
