"""The engines that are compared, one module each, all of the shape of `base.Peer`; `REGISTRY` names them in order.

An engine's module is imported in its own process only. Nothing here is needed by the package `lsr`.
"""

from __future__ import annotations

import importlib

from .base import Peer

__all__ = ["ORDERED", "REGISTRY", "Peer", "load_peer"]

#: Name → module and class; the order is that of the tables.
REGISTRY = {
    "lsr": "lsr_engine:Lsr",
    "lsr-unordered": "lsr_engine:LsrUnordered",
    "bmp": "rust_bmp:RustBmp",
    "seismic": "seismic_raw:Seismic",
    "kannolo": "kannolo_hnsw:Kannolo",
    "pisa": "pisa_direct:Pisa",
    "lucene": "lucene_impacts:Lucene",
    "splade-index": "numba_taat:SpladeIndex",
    "bm25s": "numba_taat:Bm25s",
    "scipy": "scipy_product:Scipy",
    "milvus-lite": "milvus:MilvusLite",
}

#: Engines that get the documents in the order of graph bisection; the others do not gain by it.
ORDERED = ("lsr", "bmp", "pisa", "lucene")


def load_peer(name: str) -> Peer:
    """The adapter of that name; raises what the engine's import raises."""
    module, _, cls = REGISTRY[name].partition(":")
    peer: Peer = getattr(importlib.import_module(f"{__name__}.{module}"), cls)()
    return peer
