"""`train`: a recipe, followed from its data to a model with its card. What `lsr train` calls.

Knows the order of the steps and what a run's folder holds. Each step is elsewhere.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.manifest import TOKENIZER
from lsr.encoders.new_folder import new_folder
from lsr.errors import MissingExtraError
from lsr.training.checkpoints import COMPLETE, HELD_OUT, MODEL, last_complete, steps_of
from lsr.training.claim import claim
from lsr.training.data.batches import BatchDataset, Sampler
from lsr.training.data.pairs import read_pairs, source_name
from lsr.training.data.prepared import PreparedData
from lsr.training.gather import gather
from lsr.training.log import cut_log
from lsr.training.overrides import recipe_text
from lsr.training.query_idf import idf_table
from lsr.training.recipe import Evaluate, Recipe, read_recipe

if TYPE_CHECKING:
    from lsr.training.student import Student

Say = Callable[[str], None]
#: Texts that a new head is calibrated on.
_CALIBRATION = 2048


@dataclass(frozen=True, slots=True)
class Trained:
    """Where the model is, and its figures."""

    model: Path
    figures: dict[str, float]


def train(
    path: Path,
    *,
    say: Say,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
    stop_after: int | None = None,
) -> Trained:
    """Follow a recipe; go on where an earlier run of it stopped.

    Parameters
    ----------
    path : Path
        The recipe.
    say : callable
        Is told what is done, a line at a time.
    overrides : mapping, optional
        Values of dotted keys that go before the recipe's (`lsr.training.overrides`).
    device : "cpu" or None
        None: a GPU where there is one.
    stop_after : int, optional
        Stop, as if killed but with a checkpoint, after so many steps of the schedule.

    Raises
    ------
    RecipeError, TrainingDataError, DivergedError
        See `lsr.errors`. A checkpoint that was complete stays.
    MissingExtraError
        The extra `train` is not installed.
    """
    recipe = read_recipe(path, overrides)
    try:
        return follow(recipe, path, say=say, overrides=overrides, device=device, stop_after=stop_after)
    finally:
        _part()


def _part() -> None:
    """Leave the other processes in order: one that just exits may take the threads of its connections down with it."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def dry_run(path: Path, *, say: Say, overrides: Mapping[str, Any] | None = None) -> Trained:
    """Read all of the data, then train two steps on a little of it, on the CPU, in a folder that is removed again.

    Raises
    ------
    TrainingDataError
        A row of any source is malformed: everything is read.
    """
    recipe = read_recipe(path, overrides)
    folder = path.resolve().parent
    for source in recipe.data.sources:
        rows = sum(1 for _ in read_pairs(source, folder))
        say(f"data: {source_name(source)}: {rows:,} rows are in order")
    with tempfile.TemporaryDirectory(prefix="lsr-dry-run-") as scratch:
        found = follow(_small(recipe, Path(scratch)), path, say=say, device="cpu")
    say("dry run: two steps were made; nothing is kept")
    return found


def _small(recipe: Recipe, scratch: Path) -> Recipe:
    sources = tuple(dataclasses.replace(s, limit=min(s.limit or 64, 64)) for s in recipe.data.sources)
    group = min(recipe.sampling.group, 2)
    return dataclasses.replace(
        recipe,
        run=dataclasses.replace(
            recipe.run, output=scratch / "run", log_steps=1, save_steps=2, evaluate_steps=0, workers=0
        ),
        data=dataclasses.replace(recipe.data, cache=scratch / "cache", sources=sources, holdout=8 * len(sources)),
        sampling=dataclasses.replace(recipe.sampling, queries=4, group=group),
        optimizer=dataclasses.replace(
            recipe.optimizer,
            steps=2,
            accumulation=1,
            chunk_documents=2 if recipe.optimizer.gradient_cache else 0,
            warmup=0.0,
        ),
        evaluate=Evaluate(),
    )


def follow(
    recipe: Recipe,
    path: Path,
    *,
    say: Say,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
    stop_after: int | None = None,
) -> Trained:
    """`train`, of a recipe that is already read; `path` is where it came from, with the overrides that it has."""
    try:
        import accelerate  # noqa: F401
        import scipy.sparse  # noqa: F401
        import torch
        import transformers  # noqa: F401
    except ImportError:
        raise MissingExtraError("training", "train") from None
    from lsr.training.heldout import evaluate_held_out
    from lsr.training.judged import JudgedEvaluation
    from lsr.training.objective import Objective
    from lsr.training.report import write_report
    from lsr.training.trainer import SparseTrainer, arguments

    output = recipe.run.output
    claim(recipe, output, overrides)
    text = recipe_text(path, overrides)  # as it is now: a run may take longer than the file stays
    args = arguments(recipe, output=output, device=device)
    leads = args.process_index == 0
    tell: Say = say if leads else _silent
    judged = JudgedEvaluation(recipe.evaluate) if recipe.evaluate.judged else None
    for warning in judged.warnings(recipe.data.sources, path.resolve().parent) if judged is not None else []:
        tell(warning)
    with args.main_process_first(desc="data"):
        data, teachers, mined = gather(recipe, path, tell)
    checkpoint = last_complete(output)
    asked: NDArray[np.float32] | None = None
    penalised: torch.Tensor | None = None
    if recipe.student.queries != "neural":
        asked = idf_table(recipe.idf, data, recipe.student.checkpoint / TOKENIZER, path.resolve().parent)
        if not recipe.idf.matching:
            asked, penalised = (asked > 0).astype(np.float32), torch.from_numpy(asked)
    student = _student(recipe, data, asked, resuming=checkpoint is not None, say=tell, device=args.device)
    batches = recipe.optimizer.steps * recipe.optimizer.accumulation
    objective = Objective(
        student,
        recipe.weighted_losses(),
        recipe.weighted_regularizers(),
        recipe.controller,
        batches,
        recipe.optimizer.regularizer_warmup,
        idf=penalised,
    )
    listed = zip(teachers, recipe.teachers, strict=True)
    weighted = [(teacher, entry.weight) for teacher, entry in listed if entry.weight]
    sampler = Sampler(data, recipe.sampling, recipe.data.sources, mined, recipe.run.seed)
    dataset = BatchDataset(
        data, sampler, weighted, recipe.ensemble, batches * args.world_size, recipe.optimizer.chunk_documents
    )

    def evaluate() -> dict[str, float]:
        found = evaluate_held_out(student, data, recipe.data_seed)
        return {} if found is None else found.flat()

    def judge() -> dict[str, float]:
        """The last time, with what is kept of each query."""
        found = evaluate_held_out(student, data, recipe.data_seed)
        if found is None:
            return {}
        found.write(output / HELD_OUT, data.manifest.key)
        return found.flat()

    watch = None if judged is None else partial(judged.figures, student, args.device)
    trainer = SparseTrainer(objective, dataset, args, recipe, say=tell, evaluate=evaluate, judged=watch)
    if stop_after is not None:
        trainer.add_callback(_stopper(stop_after))
    if leads:
        for unfinished in output.glob("checkpoint-*"):
            if not (unfinished / COMPLETE).is_file():
                shutil.rmtree(unfinished)
        cut_log(output, 0 if checkpoint is None else steps_of(checkpoint))
    if checkpoint is not None:
        tell(f"resuming from {checkpoint}")
    elif recipe.run.evaluate_start and leads:
        before = evaluate()
        (output / "before.json").write_text(json.dumps(before))
        tell("held out before training: " + _listed(before))
    torch.manual_seed(recipe.run.seed)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < recipe.optimizer.steps:
        return Trained(output, {})
    with torch.no_grad():
        student.bias.add_(recipe.student.bias_shift)
    figures = {**judge(), **(watch() if watch is not None else {})} if leads else {}
    model = output / MODEL
    if leads:
        with new_folder(model, replace=True) as made:
            student.save(made)
            write_report(made, recipe, text, data.manifest, output, figures, overrides=overrides)
        if figures:
            tell("held out: " + _listed(figures))
        tell(f"model: {model}")
    return Trained(model, figures)


def _student(
    recipe: Recipe, data: PreparedData, table: NDArray[np.float32] | None, *, resuming: bool, say: Say, device: Any
) -> Student:
    from lsr.training.data.batches import framed
    from lsr.training.head_init import calibrate
    from lsr.training.student import load_student

    settings = recipe.student
    student = load_student(
        settings.checkpoint,
        head=settings.head,
        idf=table,
        trainable_idf=recipe.idf.trainable,
        special_ids=data.manifest.special_ids,
        seed=recipe.run.seed,
    )
    student.to(device)
    student.head_backend = recipe.optimizer.head_backend
    student.compiled = recipe.optimizer.compile
    if settings.head == "calibrated" and not resuming:
        rng = np.random.default_rng([recipe.run.seed, 3])
        chosen = rng.permutation(len(data.documents))[: _CALIBRATION if device.type != "cpu" else _CALIBRATION // 8]
        texts = [np.asarray(data.documents[int(n)], np.int64) for n in chosen]
        found = calibrate(student, texts, lambda places: framed([texts[n] for n in places], data.manifest))
        say("head: calibrated; " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    return student


def _stopper(steps: int) -> Any:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            if state.global_step >= steps:
                control.should_save = True
                control.should_training_stop = True
            return control

    return Stop()


def _listed(figures: dict[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('heldout_')} {value:.4g}" for name, value in figures.items())


def _silent(line: str) -> None:
    """Other processes say nothing."""
