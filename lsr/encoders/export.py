"""An encoder to a folder that other tools read: sentence-transformers, OpenSearch, or a plain masked language model.

Copies configuration, weights and tokenizer as they are, and writes what the format says of pooling and queries. Loads
no model. Folders of term-weight heads (uniCOIL, BGE-M3, …) have one format each and need no export.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lsr.encoders.checkpoint import CONFIG, Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import LookUp
from lsr.encoders.layouts.masked_lm import ST_ACTIVATIONS
from lsr.encoders.manifest import IDF, TOKENIZER
from lsr.encoders.neural import NeuralEncoder
from lsr.encoders.new_folder import new_folder
from lsr.errors import EncoderError, InvalidSettingError, MissingExtraError

FORMATS = ("sentence-transformers", "opensearch", "masked-lm")
_ST = "sentence_transformers"
_TRANSFORMER = f"{_ST}.base.modules.transformer.Transformer"
_POOLING = f"{_ST}.sparse_encoder.modules.splade_pooling.SpladePooling"
_ROUTER = f"{_ST}.base.modules.router.Router"
_STATIC = f"{_ST}.sparse_encoder.modules.sparse_static_embedding.SparseStaticEmbedding"


def export_checkpoint(encoder: NeuralEncoder, target: Path, *, format: str) -> Path:
    """Write the encoder to a new folder; it has its name only once it is whole.

    Parameters
    ----------
    encoder : NeuralEncoder
        Of the family masked-lm.
    target : Path
        A folder that is empty or not there.
    format : str
        sentence-transformers: SpladePooling, or a Router where queries are looked up or have a network of their own.
        opensearch: a masked language model with `idf.json`. masked-lm: the same without it, as naver's are.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    InvalidSettingError
        An unknown format, one that cannot say what this encoder does, or a folder with something in it.
    EncoderError
        The family has no such format.

    Notes
    -----
    sentence-transformers keeps the dimensions of special tokens, as `special_tokens="keep"` does; a reader of it that
    wants them dropped must say so. Tokens that an `idf.json` does not mention are written with their weight of 1.
    """
    if format not in FORMATS:
        raise InvalidSettingError(f"format is {format!r}, it must be one of {', '.join(FORMATS)}")
    document, query = encoder.sides
    if not isinstance(document, Side) or document.family != "masked-lm" or "prefix" in document.options:
        raise EncoderError(f"{encoder.name} is no masked language model of its own", remedy=f"It cannot be {format}")
    pooling = {name: str(document.options.get(name) or default) for name, default in _DEFAULTS.items()}
    if format != "sentence-transformers":
        if format == "opensearch" and not isinstance(query, LookUp):
            raise InvalidSettingError(f"opensearch needs queries by look-up, {encoder.name} encodes them")
        for name, default in _DEFAULTS.items():
            if pooling[name] != default:
                raise InvalidSettingError(
                    f"{format} cannot say the {name} {pooling[name]!r}", remedy="Export to sentence-transformers"
                )
    with new_folder(target) as made:
        _write(encoder, document, query, pooling, made, format)
    return target


_DEFAULTS = {"pooling": "max", "activation": "log1p_relu"}


def _write(
    encoder: NeuralEncoder,
    document: Side,
    query: Side | LookUp,
    pooling: Mapping[str, str],
    folder: Path,
    format: str,
) -> None:
    if format != "sentence-transformers":
        _copy_model(document.checkpoint, folder, encoder.max_length)
        if format == "opensearch":
            _json(folder / IDF, _table(encoder))
        return
    _json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "SparseEncoder",
            "prompts": {"query": query.prompt, "document": document.prompt},
            "default_prompt_name": None,
            "similarity_fn_name": "dot",
        },
    )
    if query is document or (isinstance(query, Side) and query == document):
        _json(folder / "modules.json", [_module(0, "", _TRANSFORMER), _module(1, "1_SpladePooling", _POOLING)])
        _transformer(document.checkpoint, folder, encoder.max_length)
        _pooling(folder / "1_SpladePooling", pooling, encoder.dim)
        return
    _json(folder / "modules.json", [_module(0, "", _ROUTER)])
    types = {"document_0_Transformer": _TRANSFORMER, "document_1_SpladePooling": _POOLING}
    _transformer(document.checkpoint, folder / "document_0_Transformer", encoder.max_length)
    _pooling(folder / "document_1_SpladePooling", pooling, encoder.dim)
    if isinstance(query, LookUp):
        types = {"query_0_SparseStaticEmbedding": _STATIC, **types}
        _static(encoder, query.checkpoint, folder / "query_0_SparseStaticEmbedding")
    else:
        types = {"query_0_Transformer": _TRANSFORMER, "query_1_SpladePooling": _POOLING, **types}
        _transformer(query.checkpoint, folder / "query_0_Transformer", encoder.max_length)
        own = {name: str(query.options.get(name) or default) for name, default in _DEFAULTS.items()}
        _pooling(folder / "query_1_SpladePooling", own, encoder.dim)
    structure = {way: [name for name in types if name.startswith(way)] for way in ("query", "document")}
    parameters = {"default_route": "document", "allow_empty_key": True, "route_mappings": {}}
    _json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})


def _module(number: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": number, "name": str(number), "path": path, "type": kind}


def _transformer(checkpoint: Checkpoint, folder: Path, max_length: int) -> None:
    _copy_model(checkpoint, folder, max_length)
    text = {"text": {"method": "forward", "method_output_name": "logits"}}
    record = {"transformer_task": "fill-mask", "modality_config": text, "module_output_name": "token_embeddings"}
    _json(folder / "sentence_bert_config.json", record)


def _pooling(folder: Path, pooling: Mapping[str, str], dim: int) -> None:
    folder.mkdir()
    names = {ours: theirs for theirs, ours in ST_ACTIVATIONS.items()}
    record = {
        "pooling_strategy": pooling["pooling"],
        "activation_function": names[pooling["activation"]],
        "embedding_dimension": dim,
    }
    _json(folder / CONFIG, record)


def _static(encoder: NeuralEncoder, checkpoint: Checkpoint, folder: Path) -> None:
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise MissingExtraError("writing a table of weights", "torch") from None
    folder.mkdir()
    _copy_tokenizer(checkpoint, folder, 1 << 20)
    _json(folder / CONFIG, {"frozen": True})
    table = encoder.idf
    save_file({"weight": np.ones(encoder.dim, np.float32) if table is None else table}, folder / "model.safetensors")


def _copy_model(checkpoint: Checkpoint, folder: Path, max_length: int) -> None:
    folder.mkdir(exist_ok=True)
    for path in [(checkpoint.config_folder or checkpoint.folder) / CONFIG, *checkpoint.weight_files]:
        shutil.copyfile(path, folder / path.name)
    index = checkpoint.folder / "model.safetensors.index.json"
    if index.is_file():
        shutil.copyfile(index, folder / index.name)
    _copy_tokenizer(checkpoint, folder, max_length)


def _copy_tokenizer(checkpoint: Checkpoint, folder: Path, max_length: int) -> None:
    """The tokenizer's files, with `max_length` as what readers cut texts to."""
    for path in checkpoint.tokenizer_files:
        shutil.copyfile(path, folder / path.name)
    source = checkpoint.tokenizer_files[0].parent
    record: dict[str, Any] = {}
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (source / name).is_file():
            if name == "special_tokens_map.json":
                shutil.copyfile(source / name, folder / name)
            else:
                record = dict(read_json(source / name))
    if not record and (source / TOKENIZER).is_file():
        record = _described(checkpoint)
    _json(folder / "tokenizer_config.json", {**record, "model_max_length": max_length})


def _described(checkpoint: Checkpoint) -> dict[str, Any]:
    """What transformers must be told of a bare `tokenizer.json`: the roles of its special tokens."""
    tokenizer = checkpoint.tokenizer()
    roles = {
        "pad_token": ("[PAD]", "<pad>"),
        "unk_token": ("[UNK]", "<unk>"),
        "cls_token": ("[CLS]", "<s>"),
        "sep_token": ("[SEP]", "</s>"),
        "mask_token": ("[MASK]", "<mask>"),
    }
    found = {
        role: next((name for name in names if tokenizer.id(name) is not None), None) for role, names in roles.items()
    }
    return {"tokenizer_class": "PreTrainedTokenizerFast", **{role: name for role, name in found.items() if name}}


def _table(encoder: NeuralEncoder) -> dict[str, float]:
    """Token -> weight, in the order of their ids; special tokens have 1, as published, and are never weighed."""
    table = np.ones(encoder.dim, np.float32) if encoder.idf is None else encoder.idf.copy()
    special = set(encoder.special_ids)
    words = encoder.words(range(encoder.dim))
    return {
        word: 1.0 if number in special else float(table[number])
        for number, word in enumerate(words)
        if word != f"[#{number}]"
    }


def _json(path: Path, record: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
