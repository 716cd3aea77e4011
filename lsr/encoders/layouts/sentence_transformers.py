"""Folders that sentence-transformers' `SparseEncoder` writes, of version 5 and 6 (other module names).

SpladePooling behind a masked language model; or a Router with one way for queries and another for documents, where a
way is such a pair, or SparseStaticEmbedding (earlier: IDF), a table. Module types are known by their last dotted part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsr.encoders.checkpoint import CONFIG, Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout, LookUp
from lsr.encoders.layouts.masked_lm import pooling_options
from lsr.encoders.manifest import IDF
from lsr.errors import CorruptionError, EncoderError

MODULES, ROUTER = "modules.json", "router_config.json"
_MODELS, _ROUTERS, _TABLES = ("Transformer", "MLMTransformer"), ("Router", "Asym"), ("SparseStaticEmbedding", "IDF")
_POOLING = "SpladePooling"


def read(checkpoint: Checkpoint) -> Layout | None:
    """None without a `modules.json`."""
    path = checkpoint.folder / MODULES
    if not path.is_file():
        return None
    modules = _modules(path)
    prompts = _prompts(checkpoint.folder)
    kinds = [kind for kind, _ in modules]
    if kinds and kinds[0] in _ROUTERS:
        return _routed(checkpoint, modules[0][1], prompts)
    side = _way(checkpoint, modules, prompts.get("document", ""))
    query = _way(checkpoint, modules, prompts["query"]) if prompts.get("query") else None
    return Layout("sentence-transformers (SpladePooling)", checkpoint, side, query, _length(side))


def _modules(path: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each module in order."""
    import json

    try:
        record = json.loads(path.read_bytes())
        return [(str(module["type"]).rpartition(".")[2], path.parent / str(module["path"])) for module in record]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptionError(path, f"not a list of modules: {error!r}", remedy="Fetch the checkpoint again") from None


def _prompts(folder: Path) -> Mapping[str, str]:
    path = folder / "config_sentence_transformers.json"
    found = read_json(path).get("prompts") if path.is_file() else None
    return {str(name): str(text) for name, text in found.items() if text} if isinstance(found, Mapping) else {}


def _routed(checkpoint: Checkpoint, folder: Path, prompts: Mapping[str, str]) -> Layout:
    path = folder / ROUTER if (folder / ROUTER).is_file() else folder / CONFIG
    if not path.is_file():
        raise EncoderError(f"{checkpoint.name} has a Router without {ROUTER}", remedy="Fetch the whole checkpoint")
    record = read_json(path)
    try:
        types: dict[str, Any] = record["types"]
        ways = {
            name: [(str(types[key]).rpartition(".")[2], folder / key) for key in keys]
            for name, keys in record["structure"].items()
        }
    except (KeyError, AttributeError, TypeError) as error:
        raise CorruptionError(path, f"not a Router's record: {error!r} is missing") from None
    if not {"query", "document"} <= set(ways):
        raise EncoderError(
            f"{checkpoint.name} routes to {', '.join(ways) or 'nothing'}", remedy="Ways query and document are wanted"
        )
    document = _way(checkpoint, ways["document"], prompts.get("document", ""))
    query = _way(checkpoint, ways["query"], prompts.get("query", ""))
    return Layout("sentence-transformers (Router)", checkpoint, document, query, _length(document))


def _way(checkpoint: Checkpoint, modules: Sequence[tuple[str, Path]], prompt: str) -> Side | LookUp:
    kinds = [kind for kind, _ in modules]
    if len(kinds) == 1 and kinds[0] in _TABLES:
        folder = modules[0][1]
        found = Checkpoint(folder, str(folder))
        found.check_tokenizer()
        return LookUp(found, _table(folder, checkpoint.folder), prompt=prompt)
    if len(kinds) == 2 and kinds[0] in _MODELS and kinds[1] == _POOLING:
        folder = modules[0][1]
        same = folder.resolve() == checkpoint.folder.resolve()
        found = Checkpoint(folder, checkpoint.name if same else str(folder))
        found.check()
        if found.architectures and not any("MaskedLM" in name for name in found.architectures):
            raise EncoderError(
                f"{checkpoint.name} pools {', '.join(found.architectures)}, which has no masked-language-model head",
                remedy="SpladePooling needs a *ForMaskedLM",
            )
        return Side("masked-lm", found, pooling_options(modules[1][1]), prompt)
    raise EncoderError(
        f"{checkpoint.name} is made of {', '.join(kinds) or 'nothing'}, which lsr does not read",
        remedy="A masked language model with SpladePooling, or a Router over such and SparseStaticEmbedding, is wanted",
    )


def _table(folder: Path, root: Path) -> Path | None:
    """The file with the weights of a SparseStaticEmbedding."""
    named = str(read_json(folder / CONFIG).get("path") or "") if (folder / CONFIG).is_file() else ""
    places = [folder / named, root / named] if named else []
    places += [folder / name for name in ("model.safetensors", "pytorch_model.bin", IDF)]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise EncoderError(f"{folder} has no weights of its tokens", remedy="Fetch the whole checkpoint")
    return found


def _length(side: Side | LookUp) -> int | None:
    """Tokens that sentence-transformers reads of a document."""
    folder = side.checkpoint.folder
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        value = read_json(folder / name).get(key) if (folder / name).is_file() else None
        if isinstance(value, int) and not isinstance(value, bool) and 3 <= value < 1 << 20:
            limit = side.checkpoint.positions
            return value if limit is None else min(value, limit)
    return None
