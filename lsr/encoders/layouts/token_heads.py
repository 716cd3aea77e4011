"""Folders of encoders with a head that weighs tokens: BGE-M3's sparse part, COIL and uniCOIL."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from lsr.encoders.checkpoint import CONFIG, Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout

_BGE = ("sparse_linear.safetensors", "sparse_linear.pt")
#: Where castorini's and COIL's encoders keep the head and the body, by the programs that wrote them.
_HEADS = ("tok_proj.", "coil_encoder.tok_proj.")
_BODIES = "coil_encoder.bert.|coil_encoder.|bert.|model."


def read(checkpoint: Checkpoint) -> Layout | None:
    """None where there is no such head."""
    folder = checkpoint.folder
    if not (folder / CONFIG).is_file():
        return None
    for name in _BGE:
        if (folder / name).is_file():
            checkpoint.check()
            side = Side("token-weights", checkpoint, {"head": "", "head_file": name})
            return Layout("BGE-M3 (sparse_linear beside the encoder)", checkpoint, side)
    head = "|".join(_HEADS)
    if (folder / "model.pt").is_file() and (folder / "args.pt").is_file():
        checkpoint.check()
        options = {"head": head, "head_file": "model.pt"}
        written = "COIL (tok_proj in model.pt)"
    elif any("coil" in name.lower() for name in checkpoint.architectures) or _names_head(checkpoint):
        checkpoint.check()
        options = {"head": head, "prefix": _BODIES}
        written = "uniCOIL (tok_proj among the weights)"
    else:
        return None
    document = Side("token-weights", checkpoint, options)
    query = Side("token-weights", checkpoint, {**options, "pooling": "sum"})
    return Layout(written, checkpoint, document, query)


def _names_head(checkpoint: Checkpoint) -> bool:
    return any(name in _HEADS_WEIGHTS for name in tensor_names(checkpoint))


_HEADS_WEIGHTS = {f"{head}weight" for head in _HEADS}


def tensor_names(checkpoint: Checkpoint) -> list[str]:
    """The names of the tensors of .safetensors files, without reading the tensors; pickles are not looked into."""
    index = checkpoint.folder / "model.safetensors.index.json"
    if index.is_file():
        return list(read_json(index).get("weight_map") or {})
    names: list[str] = []
    for path in checkpoint.weight_files:
        if path.suffix == ".safetensors":
            names += safetensors_header(path)
    return names


def safetensors_header(path: Path) -> dict[str, Any]:
    """Name, dtype and shape of each tensor of a file; empty where it has no header that can be read."""
    with path.open("rb") as stream:
        head = stream.read(8)
        size = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 0 < size <= 100 << 20:
            return {}
        try:
            record = json.loads(stream.read(size))
        except ValueError:
            return {}
    return {name: value for name, value in record.items() if name != "__metadata__"} if isinstance(record, dict) else {}
