"""Text to sparse vectors, one family a file; `registry` gives an encoder by its name.

Importing this loads no encoder: names come from the modules where they live (`lsr.encoders.registry.load_encoder`,
`lsr.encoders.onnx.OnnxEncoder`, `lsr.encoders.splade.SpladeEncoder`, `lsr.encoders.bm25.BM25Encoder`, …).
"""

from __future__ import annotations

from lsr.encoders.base import Encoder, Span, TermDictionary
from lsr.encoders.registry import DEFAULT_ENCODER, list_encoders, load_encoder

__all__ = ["DEFAULT_ENCODER", "Encoder", "Span", "TermDictionary", "list_encoders", "load_encoder"]
