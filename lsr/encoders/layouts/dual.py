"""The dual encoders of thongnt99's learned-sparse-retrieval: model_type DualEncoder, one or two encoders below it."""

from __future__ import annotations

from pathlib import Path

from lsr.encoders.checkpoint import CONFIG, Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout, LookUp
from lsr.errors import EncoderError


def read(checkpoint: Checkpoint) -> Layout | None:
    """None where it is no DualEncoder."""
    folder = checkpoint.folder
    if not (folder / CONFIG).is_file() or checkpoint.config.get("model_type") != "DualEncoder":
        return None
    shared = bool(checkpoint.config.get("shared"))
    names = ("shared_encoder", "shared_encoder") if shared else ("doc_encoder", "query_encoder")
    tokenizer = next((path for path in (folder / "tokenizer", folder) if list(path.glob("*token*"))), folder)
    document, query = (_side(folder / name, tokenizer, of_query=number == 1) for number, name in enumerate(names))
    return Layout("thongnt99 (DualEncoder)", checkpoint, document, query)


def _side(folder: Path, tokenizer: Path, *, of_query: bool) -> Side | LookUp:
    if not (folder / CONFIG).is_file():
        raise EncoderError(f"{folder.parent} has no {folder.name}/{CONFIG}", remedy="Fetch the whole checkpoint")
    record = read_json(folder / CONFIG)
    kind = record.get("model_type")
    if kind == "BINARY":
        found = Checkpoint(folder, str(folder), tokenizer, folder)
        return LookUp(found, None, _scale(folder, float(record.get("scale", 0.3))), repeats=of_query)
    base = Checkpoint.named_in(folder, str(record.get("tf_base_model_name_or_dir", "")))
    found = Checkpoint(folder, str(folder), tokenizer, base.folder)
    found.check()
    unknown = {
        name: value
        for name, value in record.items()
        if name in ("term_importance", "doc_quality") and value not in (None, "no")
    }
    norm, activation = str(record.get("norm", "log1p")), str(record.get("activation", "relu"))
    if unknown or norm not in ("log1p", "identity"):
        what = ", ".join(f"{name}={value}" for name, value in {**unknown, "norm": norm}.items())
        raise EncoderError(f"{folder} has {what}", remedy="EPIC's parts and other norms are not read")
    combined = activation if norm == "identity" else f"log1p_{activation}"
    if kind == "MLP":
        pooling = "sum" if of_query else "max"
        options = {"head": "linear.", "prefix": "model.", "activation": combined, "pooling": pooling}
        return Side("token-weights", found, options)
    if kind in ("MLM", "CLS_MLM"):
        positions = "first" if kind == "CLS_MLM" else "text"
        pooling = str(record.get("pool", "max"))
        options = {"prefix": "model.", "activation": combined, "pooling": pooling, "positions": positions}
        return Side("masked-lm", found, options)
    raise EncoderError(f"{folder} is an encoder of the type {kind!r}", remedy="MLM, MLP, CLS_MLM and BINARY are read")


def _scale(folder: Path, stated: float) -> float:
    """The learned scale of a binary encoder, else what its configuration says."""
    path = folder / "model.safetensors"
    if not path.is_file():
        return stated
    try:
        from safetensors.numpy import load_file
    except ImportError:
        return stated
    found = load_file(path).get("scale")
    return stated if found is None else float(found)
