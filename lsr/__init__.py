"""lsr: a search engine for learned sparse retrieval.

::

    from lsr import Document, Index

    with Index.create("my-index") as index:
        index.add([Document(id="1", text="The mitochondrion is the powerhouse of the cell.")])
        for hit in index.search("energy of a cell").hits:
            print(hit.score, hit.id)

Names are handed on from the rooms where they live, and loaded when they are first used: `import lsr` costs next to
nothing, and torch is loaded only by an encoder that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsr.documents import Document
    from lsr.encoders.base import Encoder
    from lsr.encoders.registry import list_encoders, load_encoder
    from lsr.engine.aliases import set_alias
    from lsr.engine.archive import create_snapshot, restore_snapshot
    from lsr.engine.check import check_index
    from lsr.engine.index import Index
    from lsr.engine.results import Hit, SearchResponse
    from lsr.errors import LsrError
    from lsr.sources import read_documents
    from lsr.vectors import SparseVectors

__version__ = "0.1.0"

__all__ = [
    "Document",
    "Encoder",
    "Hit",
    "Index",
    "LsrError",
    "SearchResponse",
    "SparseVectors",
    "check_index",
    "create_snapshot",
    "list_encoders",
    "load_encoder",
    "read_documents",
    "restore_snapshot",
    "set_alias",
]

_HOMES = {
    "Document": "lsr.documents",
    "Encoder": "lsr.encoders.base",
    "Hit": "lsr.engine.results",
    "Index": "lsr.engine.index",
    "LsrError": "lsr.errors",
    "SearchResponse": "lsr.engine.results",
    "SparseVectors": "lsr.vectors",
    "check_index": "lsr.engine.check",
    "create_snapshot": "lsr.engine.archive",
    "list_encoders": "lsr.encoders.registry",
    "load_encoder": "lsr.encoders.registry",
    "read_documents": "lsr.sources",
    "restore_snapshot": "lsr.engine.archive",
    "set_alias": "lsr.engine.aliases",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lsr' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
