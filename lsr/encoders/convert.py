"""A BERT masked-LM checkpoint to the folder that `lsr.encoders.onnx` runs without torch.

Knows the files of both sides; the graph is built by `lsr.encoders.onnx_graph`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsr.encoders.idf import read_idf_table
from lsr.encoders.manifest import FILE_NAME, IDF, MODELS, TOKENIZER, Manifest, sha256
from lsr.encoders.masked_lm import checked_prune
from lsr.encoders.onnx_graph import TILE, BertConfig, build_graph
from lsr.encoders.onnx_half import halved
from lsr.encoders.onnx_int8 import build_int8_graph
from lsr.errors import CorruptionError, EncoderError, InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def convert_checkpoint(
    checkpoint: Path,
    target: Path,
    *,
    name: str,
    source: str,
    licence: str,
    max_length: int = 256,
    prune: float = 0.0,
    tile: int = TILE,
    precisions: Sequence[str] = ("float32", "int8"),
) -> Manifest:
    """Write a model for each precision, `tokenizer.json`, `manifest.json` and, if the checkpoint has one, `idf.json`.

    Equal checkpoints and arguments give equal bytes. Each file is written aside and renamed, the manifest last.

    Parameters
    ----------
    checkpoint : Path
        Folder with `config.json`, `model.safetensors` and `tokenizer.json`.
    target : Path
        Folder to write to; made if it is not there.
    name, source, licence : str
        What the manifest shall say.
    max_length : int
        Tokens of a text that are read unless a setting says otherwise.
    prune : float
        Of documents, unless a setting says otherwise; see `lsr.encoders.masked_lm`.
    tile : int
        Terms of a tile of the head.
    precisions : sequence of str
        float32: `model.onnx`. float16: `model.fp16.onnx`, weights stored in half the space (`lsr.encoders.onnx_half`).
        int8: `model.int8.onnx`, the head, and a wide body, in integers of 8 bits (`lsr.encoders.onnx_int8`).

    Raises
    ------
    EncoderError
        A file is missing, or the model is none that can be converted.
    CorruptionError
        A file of the checkpoint cannot be read.
    MissingExtraError
        onnx or safetensors is not installed.
    """
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("converting a checkpoint", "onnx") from None
    unknown = sorted(set(precisions) - set(MODELS))
    if unknown or not precisions:
        raise InvalidSettingError(
            f"precision is {', '.join(map(repr, unknown)) or 'missing'}, it must be of {', '.join(MODELS)}"
        )
    upstream = {file: _read(checkpoint, file) for file in (CONFIG, WEIGHTS, TOKENIZER)}
    try:
        record: dict[str, Any] = json.loads(upstream[CONFIG])
        config = BertConfig.from_json(record)
    except (ValueError, KeyError) as error:
        raise CorruptionError(checkpoint / CONFIG, f"not the configuration of a BERT: {error!r}") from None
    try:
        tensors = safetensors.numpy.load(upstream[WEIGHTS])
    except safetensors.SafetensorError as error:
        raise CorruptionError(checkpoint / WEIGHTS, str(error), remedy="Fetch the checkpoint again") from None
    tokenizer = WordPieceTokenizer.from_bytes(upstream[TOKENIZER], checkpoint / TOKENIZER)
    if tokenizer.size > config.vocabulary:
        raise EncoderError(
            f"the tokenizer has {tokenizer.size} tokens, the model only {config.vocabulary}",
            remedy="Use the tokenizer.json that was published with this model",
        )
    if not tokenizer.frame < max_length <= config.positions:
        raise InvalidSettingError(
            f"max_length is {max_length}, it must be within {tokenizer.frame + 1} and {config.positions}"
        )
    checked_prune(prune)
    if (checkpoint / IDF).exists():
        upstream[IDF] = _read(checkpoint, IDF)
        read_idf_table(upstream[IDF], checkpoint / IDF, tokenizer, config.vocabulary)
    files: dict[str, bytes] = {}
    if {"float32", "float16"} & set(precisions):
        whole = build_graph(config, tensors, tile=tile)
        files |= {MODELS["float32"]: whole} if "float32" in precisions else {}
        files |= {MODELS["float16"]: halved(whole)} if "float16" in precisions else {}
    if "int8" in precisions:
        files[MODELS["int8"]] = build_int8_graph(config, tensors, tile=tile)
    files |= {file: upstream[file] for file in (TOKENIZER, IDF) if file in upstream}
    manifest = Manifest(
        name=name,
        source=source,
        licence=licence,
        upstream={file: sha256(data) for file, data in upstream.items()},
        files={file: sha256(data) for file, data in files.items()},
        dim=config.vocabulary,
        pooling="max",
        activation="log1p_relu",
        max_length=max_length,
        positions=config.positions,
        prune=prune,
        special_tokens=dict(zip(tokenizer.tokens(tokenizer.special_ids), tokenizer.special_ids, strict=True)),
    )
    target.mkdir(parents=True, exist_ok=True)
    for file, data in [*files.items(), (FILE_NAME, manifest.to_json().encode())]:
        aside = target / f".{file}.tmp"
        aside.write_bytes(data)
        os.replace(aside, target / file)
    return manifest


def _read(checkpoint: Path, file: str) -> bytes:
    try:
        return (checkpoint / file).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise EncoderError(
            f"the checkpoint {checkpoint} has no {file}",
            remedy=f"Name a folder with {CONFIG}, {WEIGHTS} and {TOKENIZER}",
        ) from None
