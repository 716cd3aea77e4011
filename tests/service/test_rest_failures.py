"""What happens when the server itself is in trouble: damage, overload, an index that cannot be refreshed, a bug."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import httpx
import pytest
from service_help import ask, error_of, make_index
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from lsr import Document, Index
from lsr.errors import (
    AccessDeniedError,
    CorruptionError,
    EncoderError,
    InvalidSettingError,
    LsrError,
    MissingExtraError,
    NotAnIndexError,
)
from lsr.service import create_app, name_indexes, serve
from lsr.service.errors import Problem, from_lsr_error
from lsr.service.middleware import Edge
from lsr.service.workers import Workers


def test_damage_is_told_without_the_place_on_the_machine(tmp_path: Path) -> None:
    path = make_index(tmp_path / "private" / "small")
    for segment in (path / "segments").iterdir():
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.write_bytes(content)
    with Index.open(path) as index:
        app = create_app({"small": index})
        response = ask(app, "POST", "/v1/indexes/small/search", json={"query": "aspirin"})
        error = error_of(response)
        assert (response.status_code, error["code"]) == (500, "corrupted")
        assert str(tmp_path) not in response.text
        assert "private" not in response.text
        ready = ask(app, "GET", "/readyz")
        assert (ready.status_code, error_of(ready)["code"]) == (503, "not_ready")
        assert ask(app, "GET", "/healthz").status_code == 200


def test_every_exception_of_the_engine_has_an_answer() -> None:
    for error, status, code in [
        (CorruptionError(Path("/private/x/store.db"), "row 3 of /private/x/store.db"), 500, "corrupted"),
        (MissingExtraError("this encoder", "torch"), 500, "missing_extra"),
        (AccessDeniedError("/private/x may not be read"), 503, "index_unavailable"),
        (NotAnIndexError("/private/x holds no index"), 503, "index_unavailable"),
        (EncoderError("/private/model failed"), 500, "internal"),
        (LsrError("something in /private"), 500, "internal"),
    ]:
        problem = from_lsr_error(error)
        assert (problem.status, problem.code) == (status, code)
        assert "/private" not in problem.message


def test_who_comes_when_too_many_wait_is_sent_away_at_once() -> None:
    async def go() -> None:
        workers = Workers(threads=1, waiting=1)
        go_on, started = threading.Event(), threading.Event()

        def job() -> int:
            started.set()
            go_on.wait(60)
            return 7

        first = asyncio.create_task(workers.run(job))
        await asyncio.to_thread(started.wait, 60)
        second = asyncio.create_task(workers.run(lambda: 8))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refusal:
            await workers.run(lambda: 9)
        assert refusal.value.status == 503
        assert refusal.value.headers["Retry-After"] == "1"
        go_on.set()
        assert (await first, await second) == (7, 8)
        assert await workers.run(lambda: 10) == 10
        workers.close()

    asyncio.run(go())


def test_a_bug_is_a_500_in_the_one_shape_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("at /private/place")

    response = _ask_bare(Edge(broken), b"")
    error = error_of(response)
    assert (response.status_code, error["code"]) == (500, "internal")
    assert "private" not in response.text
    assert response.headers["x-request-id"] in error["message"]
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_that_has_begun_is_broken_off() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _ask_bare(Edge(broken), b"")


def test_a_client_that_goes_away_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def unheard(message: Message) -> None:
        raise AssertionError("nobody listens")

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    with caplog.at_level(logging.ERROR):
        asyncio.run(Edge(read)(scope, gone, unheard))
    assert not caplog.records


def _ask_bare(app: Edge, content: bytes) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.post("/", content=content)

    return asyncio.run(go())


def test_a_name_that_no_address_can_hold_is_refused(tmp_path: Path) -> None:
    with Index.open(make_index(tmp_path / "small")) as index:
        for name in ("", "a/b", "..", ".hidden", "a b", "ü", "a" * 129, "a\n"):
            with pytest.raises(InvalidSettingError, match="NAME=DIRECTORY"):
                create_app({name: index})


def test_directories_are_named_by_themselves_or_by_the_user(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert name_indexes([tmp_path / "x", "y=/some/where/x"]) == {"x": tmp_path / "x", "y": Path("/some/where/x")}
    assert name_indexes([str(odd)]) == {"a=b": odd}
    with pytest.raises(InvalidSettingError, match="two indexes would be called 'x'"):
        name_indexes(["/here/x", "/there/x/"])


def test_serve_refuses_what_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingError, match="no index to serve"):
        serve([])
    with pytest.raises(NotAnIndexError):
        serve([tmp_path], port=0)
    for port in (-1, 65536):
        with pytest.raises(InvalidSettingError, match=f"port {port} "):
            serve([tmp_path], port=port)
    with pytest.raises(InvalidSettingError, match="not an address"):
        serve([tmp_path], host="not a host", port=0)


def test_a_reader_in_the_process_follows_a_writer(tmp_path: Path) -> None:
    path = make_index(tmp_path / "small")
    with Index.open(path) as reader, Index.open(path, writable=True) as writer:
        app = create_app({"small": reader}, refresh_seconds=0)
        before = ask(app, "POST", "/v1/indexes/small/search", json={"query": "sextant"}).json()
        assert before["hits"] == []
        writer.add([Document(id="new", text="a sextant in brass")])
        after = ask(app, "POST", "/v1/indexes/small/search", json={"query": "sextant"}).json()
        assert [hit["id"] for hit in after["hits"]] == ["new"]
        assert after["generation"] == writer.generation > before["generation"]
        writer.delete(["new"])
        assert ask(app, "GET", "/v1/indexes/small/documents/new").status_code == 404


def test_head_sends_no_body_whatever_the_server_does() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"body"})

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Message] = []

    async def record(message: Message) -> None:
        sent.append(message)

    asyncio.run(Edge(answer)({"type": "http", "method": "HEAD", "path": "/", "headers": []}, nothing, record))
    assert (b"content-length", b"4") in sent[0]["headers"]
    assert sent[1]["body"] == b""
