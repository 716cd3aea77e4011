"""The tensors of a checkpoint's folder, and a folder like it with other tensors. Light to import: no torch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsr.encoders.manifest import IDF, TOKENIZER
from lsr.errors import CorruptionError, InvalidSettingError, TrainingError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_KEPT = {CONFIG, TOKENIZER, IDF, "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"}
#: The bias of the vocabulary in the masked language models of BERT, DistilBERT and RoBERTa; untied, it may stand twice.
_BIASES = (
    "cls.predictions.bias",
    "cls.predictions.decoder.bias",
    "vocab_projector.bias",
    "lm_head.bias",
    "lm_head.decoder.bias",
)


def load_tensors(folder: Path) -> dict[str, Any]:
    """`model.safetensors` of a checkpoint's folder, ndarrays by name.

    Raises
    ------
    TrainingError
        The folder lacks its configuration, weights or tokenizer.
    CorruptionError
        The weights cannot be read.
    """
    import safetensors
    import safetensors.numpy

    for name in (CONFIG, WEIGHTS, TOKENIZER):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder} has no {name}", remedy="Name a run of `lsr train` or a checkpoint's folder")
    try:
        state: dict[str, Any] = safetensors.numpy.load_file(folder / WEIGHTS)
    except safetensors.SafetensorError as error:
        raise CorruptionError(folder / WEIGHTS, str(error), remedy="Take another checkpoint of the run") from None
    except TypeError as error:  # bfloat16
        raise TrainingError(f"{folder / WEIGHTS}: {error}", remedy="Save the checkpoint in float32") from None
    return state


def vocabulary_biases(tensors: Mapping[str, Any], folder: Path) -> list[str]:
    """Names under which the bias of the vocabulary stands, one at least.

    Raises
    ------
    InvalidSettingError
        None is there, of a checkpoint that was read from `folder`.
    """
    found = [name for name in _BIASES if name in tensors]
    if not found:
        raise InvalidSettingError(f"{folder} has no {_BIASES[0]} to change", remedy="Name a masked language model")
    return found


def write_like(folder: Path, made: Path, tensors: Mapping[str, Any]) -> None:
    """Write `tensors` into the folder `made`, with the configuration, tokenizer and idf of `folder`."""
    import safetensors.numpy

    for file in folder.iterdir():
        if file.name in _KEPT:
            shutil.copyfile(file, made / file.name)
    safetensors.numpy.save_file(dict(tensors), made / WEIGHTS, metadata={"format": "pt"})
