"""One shape for every error: `{"error": {"code", "message", "field"}}`, and which code each exception has.

Knows the tree of `lsr.errors`. A message names a file at most, never a directory of this machine.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from lsr.errors import (
    CorruptionError,
    DocumentNotFoundError,
    EncoderMismatchError,
    IndexStateError,
    InvalidFilterError,
    InvalidQueryError,
    InvalidVectorsError,
    LsrError,
    MissingExtraError,
)

log = logging.getLogger("lsr.service")

#: Longest piece of a user's own input that an error message repeats, in characters.
ECHO_LIMIT = 100

#: Longest message of the engine that is passed on, in characters; some repeat what they were given.
MESSAGE_LIMIT = 500


class Problem(Exception):
    """An answer other than success.

    Parameters
    ----------
    status : int
        The HTTP status.
    code : str
        What went wrong, for programs; service/README.md has the list.
    message : str
        What went wrong, for people.
    field : str or None
        The field of the request that is to blame, dotted (`vector.1037`); None where it is none or all of them.
    headers : mapping
        Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers
        super().__init__(f"{status} {code}: {message}")

    def to_response(self) -> Response:
        record = {"error": {"code": self.code, "message": self.message, "field": self.field}}
        return Response(encode(record), self.status, self.headers, media_type="application/json")


def encode(record: object) -> bytes:
    """JSON in UTF-8. Floats are written so that they read back to the last bit; NaN and infinity are refused."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def echo(text: str, limit: int = ECHO_LIMIT) -> str:
    """A user's own input as a message may repeat it: bounded, and without characters that UTF-8 cannot write."""
    safe = text[: limit + 1].encode("utf-8", "backslashreplace").decode()
    return safe if len(safe) <= limit else safe[:limit] + "…"


def from_lsr_error(error: LsrError, *, field: str | None = None) -> Problem:
    """The answer to an exception of the engine. `field` is what the route was given to search with, if anything."""
    message = echo(str(error), MESSAGE_LIMIT)
    match error:
        case DocumentNotFoundError():
            return Problem(404, "document_not_found", message, "id")
        case EncoderMismatchError():
            return Problem(409, "encoder_mismatch", message, "fingerprint")
        case InvalidQueryError():
            return Problem(422, "invalid_query", message, field)
        case InvalidFilterError():
            return Problem(422, "invalid_filter", message, "filter")
        case InvalidVectorsError():
            return Problem(422, "invalid_vector", message, "vector")
        case CorruptionError():
            where = error.path.name
            detail = error.detail.replace(str(error.path), where).replace(f"{error.path.parent}/", "")
            return Problem(500, "corrupted", f"{where} is damaged: {detail}. Run `lsr check` on the index")
        case MissingExtraError():
            return Problem(500, "missing_extra", message)
        case IndexStateError():
            return Problem(
                503, "index_unavailable", "the index cannot be read at the moment; the server's log says why"
            )
        case _:
            return internal()


def internal(request_id: str = "the X-Request-ID of this answer") -> Problem:
    """The answer to what nobody foresaw; says nothing but where to look."""
    return Problem(500, "internal", f"the server failed; its log has the details under {request_id}")


def install_handlers(app: Starlette) -> None:
    """Let `app` answer problems and unknown addresses in the one shape."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        if error.status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error.__cause__)
        return error.to_response()

    async def unrouted(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        where = echo(request.url.path)
        if error.status_code == 405:
            allowed = sorted(_methods_at(app, request.scope))
            message = f"{where} does not take {echo(request.method)}, only {', '.join(allowed)}"
            return Problem(405, "method_not_allowed", message, headers={"Allow": ", ".join(allowed)}).to_response()
        return Problem(error.status_code, "not_found", f"nothing is at {where}; /docs lists what is").to_response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, unrouted)


def _methods_at(app: Starlette, scope: Scope) -> set[str]:
    """Every method that some route takes at this address; files take GET."""
    methods: set[str] = set()
    for route in app.router.routes:
        if isinstance(route, Route) and route.path_regex.match(scope["path"]):
            methods |= route.methods or set()
    methods = methods or {"GET"}
    return methods | {"HEAD"} if "GET" in methods else methods
