"""The REST service and its web page: indexes over HTTP.

Knows requests, answers, limits and errors. Holds no retrieval logic: every route hands its parameters to
`lsr.engine.index.Index` and returns that object's own records.

Everything here needs the extra `serve`; importing this package without it raises `MissingExtraError`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lsr.errors import MissingExtraError

if any(find_spec(name) is None for name in ("fastapi", "pydantic", "uvicorn")):
    raise MissingExtraError("the REST service", "serve")

if TYPE_CHECKING:
    from lsr.service.app import create_app
    from lsr.service.server import name_indexes, serve

_HOMES = {"create_app": "app", "name_indexes": "server", "serve": "server"}

__all__ = ["create_app", "name_indexes", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lsr.service' has no attribute {name!r}")
    return getattr(import_module(f"lsr.service.{_HOMES[name]}"), name)
