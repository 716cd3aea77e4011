"""What holds for every request, whatever its route: an id, safe headers, HEAD, a bound on bodies, no bare failure.

Plain ASGI, outermost; knows no route.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lsr.service.errors import Problem, internal

log = logging.getLogger("lsr.service")

#: Largest body of a request, in bytes.
MAX_BODY = 1 << 20

#: How much of a body that is too large is still read, and for how long, so that its sender gets to see the answer.
DRAIN_BYTES = 16 * MAX_BODY
DRAIN_SECONDS = 2.0

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

#: The page loads nothing but its own files and runs no inline script.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Edge:
    """The outermost layer of the service.

    - `X-Request-ID`: the client's own where it is 1 to 128 letters, digits or `._:-`, else a new one.
    - HEAD is answered as GET without the body.
    - A body beyond `max_body` bytes is refused with 413, by its declared length or as soon as it has come too far.
    - An exception that nothing else has caught is logged with the request's id and answered 500.
    """

    def __init__(self, app: ASGIApp, max_body: int = MAX_BODY) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        head = scope["method"] == "HEAD"
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(MutableHeaders(scope=message), request_id)
            elif message["type"] == "http.response.body" and head:
                message = {**message, "body": b""}
            await send(message)

        inner = {**scope, "method": "GET"} if head else scope
        try:
            await self.app(inner, self._bounded(inner, receive), send_safely)
        except ClientDisconnect:
            log.info("request %s: the client went away", request_id)
        except Exception as error:
            if started:
                raise  # half an answer is out: the server must break the connection
            problem = error if isinstance(error, Problem) else internal(request_id)
            if problem.status == 500:
                log.exception("request %s: %s %s failed", request_id, scope["method"], scope["path"])
            await problem.to_response()(inner, receive, send_safely)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """`receive`, but a body that is too large raises `Problem` 413."""
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        declared = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else 0
        problem = Problem(
            413,
            "body_too_large",
            f"the body is larger than {self.max_body} bytes",
            headers={"Connection": "close"},
        )
        received = 0

        async def bounded() -> Message:
            nonlocal received
            if declared > self.max_body:
                # Who waits for leave to send (Expect: 100-continue) has sent nothing, and asking would give the leave.
                if headers.get("expect", "").lower() != "100-continue":
                    await _drain(receive)
                raise problem
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body:
                if message.get("more_body", False):
                    await _drain(receive)
                raise problem
            return message

        return bounded


async def _drain(receive: Receive) -> None:
    """Read on for a while: closing at once would reset the connection before the client has read the answer."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            drained = 0
            while drained <= DRAIN_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SAFE_HEADERS.items():
        headers[name] = value
    kind = headers.get("content-type", "")
    headers["Content-Security-Policy"] = PAGE_POLICY if kind.startswith("text/html") else DATA_POLICY
    # Files carry an ETag and may be kept, but are asked for again; answers are of one moment.
    headers["Cache-Control"] = "no-store" if kind == "application/json" else "no-cache"
