"""What an encoder is, in words: for `lsr encoder info` and for whoever debugs a checkpoint. Loads no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsr.encoders.base import Encoder
from lsr.encoders.families import FAMILIES, Side
from lsr.encoders.layouts.base import LookUp
from lsr.encoders.neural import NeuralEncoder
from lsr.encoders.passages import PassageEncoder
from lsr.encoders.registry import list_encoders, load_encoder
from lsr.encoders.settings import Setting
from lsr.encoders.terms import InMemoryTerms


def describe_encoder(name: str, settings: Mapping[str, Setting] | None = None) -> dict[str, Any]:
    """Facts by their names, JSON values; errors as of `load_encoder`."""
    encoder = load_encoder(name, settings=settings, terms=InMemoryTerms())
    outer, inner = encoder, encoder.inner if isinstance(encoder, PassageEncoder) else encoder
    facts: dict[str, Any] = {"encoder": encoder.name}
    if isinstance(inner, NeuralEncoder):
        facts |= _layout(inner)
    else:
        facts["documents"] = dict(list_encoders()).get(name) or type(inner).__name__
        facts["queries"] = "by look-up, no network" if inner.lexical_queries else "by the network"
    facts |= {
        "terms": "the index's words" if encoder.needs_terms else encoder.dim,
        "reads": _reads(outer, inner),
        "query_idf": encoder.default_query_idf if encoder.lexical_queries else None,
        "settings": dict(encoder.settings),
        "fingerprint": encoder.fingerprint,
    }
    return facts


def _reads(outer: Encoder, inner: Encoder) -> str:
    if isinstance(outer, PassageEncoder):
        chosen = outer.settings
        return f"whole texts, by passages of {chosen['passage_tokens']} tokens that share {chosen['passage_overlap']}"
    return "whole texts" if inner.max_length is None else f"{inner.max_length} tokens of a text"


def _layout(encoder: NeuralEncoder) -> dict[str, Any]:
    layout = encoder.layout
    document, query = encoder.sides
    checkpoint = document.checkpoint
    facts: dict[str, Any] = {
        "format": layout.format,
        "model": ", ".join(checkpoint.architectures) or checkpoint.config.get("model_type"),
        "documents": _side(document),
        "queries": "as documents" if query is document else _side(query),
        "runs": "through torch, on CPU or CUDA" if isinstance(document, Side) else "without a model",
        **layout.facts,
    }
    size = sum(path.stat().st_size for path in (*checkpoint.weight_files, *checkpoint.head_files))
    return facts | {"weights": f"{size / 2**20:,.1f} MiB in {len(checkpoint.weight_files)} files"}


def _side(side: Side | LookUp) -> str:
    prompt = f', after the prompt "{side.prompt}"' if side.prompt else ""
    if isinstance(side, LookUp):
        table = "weight 1 each" if side.table is None else f"weights of {side.table.name}"
        if side.scale != 1.0:
            table = f"weight {side.scale:g} each"
        return f"by look-up, no network: {'all' if side.repeats else 'unique'} tokens, {table}{prompt}"
    hidden = ("prefix", "head", "head_file")
    options = ", ".join(f"{name}={value}" for name, value in side.options.items() if name not in hidden)
    return f"{side.family} ({options or 'as usual'}): {FAMILIES[side.family]}{prompt}"
