"""The mean of several runs' weights ("model soup", arXiv 2203.05482): one model of the same size.

It works where the runs share their beginning, so that their weights lie in one valley: from other heads they do not.
Knows weights, not files. Light to import: no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsr.encoders.manifest import TOKENIZER
from lsr.encoders.new_folder import check_new, new_folder
from lsr.errors import InvalidSettingError, TrainingError
from lsr.training.checkpoints import trained_model
from lsr.training.tensors import load_tensors, vocabulary_biases, write_like


def average_checkpoints(
    paths: Sequence[Path], target: Path, *, weights: Sequence[float] | None = None, bias_shift: float = 0.0
) -> Path:
    """Write Σ_i w_i · θ_i as a checkpoint with the tokenizer, configuration and idf of the last one.

    Parameters
    ----------
    paths : sequence of Path
        Runs of `lsr train` or checkpoints' folders, two or more, of one shape and one tokenizer.
    target : Path
        A folder that is empty or not there; it has its name only once it is whole.
    weights : sequence of float, optional
        At least 0, divided by their sum; equal by default.
    bias_shift : float
        Added to every bias of the vocabulary, as `student.bias_shift` of a recipe.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    InvalidSettingError
        Fewer than two checkpoints, weights that are none, no bias to shift, or a folder with something in it.
    TrainingError
        A checkpoint has not the tensors, shapes or tokenizer of the last.
    CorruptionError
        A file of weights cannot be read.
    """
    if len(paths) < 2:
        raise InvalidSettingError("one checkpoint has no mean", remedy="Name two or more")
    given = [1.0] * len(paths) if weights is None else [float(weight) for weight in weights]
    if len(given) != len(paths):
        raise InvalidSettingError(f"{len(given)} weights for {len(paths)} checkpoints")
    if not all(np.isfinite(given)) or min(given) < 0 or not sum(given) > 0:
        raise InvalidSettingError(f"weights are {given}, they must be 0 or more and not all 0")
    check_new(target)
    folders = [trained_model(path) for path in paths]
    mean = _mean(folders, [weight / sum(given) for weight in given])
    if bias_shift:
        for name in vocabulary_biases(mean, folders[-1]):
            mean[name] = mean[name] + bias_shift
    with new_folder(target) as made:
        write_like(folders[-1], made, {name: tensor.astype(np.float32) for name, tensor in mean.items()})
    return target


def _mean(folders: Sequence[Path], shares: Sequence[float]) -> dict[str, Any]:
    """Of all tensors, float64."""
    last = load_tensors(folders[-1])
    mean = {name: shares[-1] * tensor.astype(np.float64) for name, tensor in last.items()}
    for folder, share in zip(folders[:-1], shares[:-1], strict=True):
        if (folder / TOKENIZER).read_bytes() != (folders[-1] / TOKENIZER).read_bytes():
            raise TrainingError(
                f"{folder} has not the tokenizer of {folders[-1]}", remedy="Average runs of one student"
            )
        state = load_tensors(folder)
        if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in last.items()}:
            raise TrainingError(f"{folder} has not the tensors of {folders[-1]}", remedy="Average runs of one student")
        for name, tensor in state.items():
            mean[name] += share * tensor.astype(np.float64)
    return mean
