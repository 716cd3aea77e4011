"""A small real index, and ways to ask a service over it: within the process, or a process of its own."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from lsr import Document, Index

#: How long a server may take to start and to end, kernels compiled; only a bound, never measured.
PATIENCE_SECONDS = 120.0

SUBJECTS = (
    "aspirin",
    "influenza",
    "glacier",
    "neutron",
    "violin",
    "harbour",
    "enzyme",
    "quarry",
    "lighthouse",
    "orchid",
)
ACTIONS = ("reduces", "measures", "observes", "replaces", "predicts", "describes")
PLACES = ("in winter", "under pressure", "near the coast", "in older adults", "at night")

DOCUMENTS = [
    Document(
        id=f"doc/{place}-{subject}",
        title=f"{SUBJECTS[subject].title()} study {place}",
        text=f"The {SUBJECTS[subject]} {ACTIONS[(subject + place) % 6]} the {SUBJECTS[(subject * 3 + place) % 10]} "
        f"{PLACES[place]}. {SUBJECTS[(subject + 1) % 10]} and {SUBJECTS[subject]} were compared {place + 2} times.",
        metadata={"year": 2000 + subject, "place": PLACES[place], "nested": {"list": [1, 2.5, None, True]}},
    )
    for subject in range(10)
    for place in range(5)
] + [
    Document(id="a/b c?d#e%20f", text="a text with an odd id", metadata={"url": "https://example.org/"}),
    Document(
        id="Ünïcødé/文書/😀", text="Emoji 😀 before the <b>glacier</b> & after", title="<script>alert(1)</script>"
    ),
    Document(id="line\nbreak\n", text="an id that ends in a line break"),
    Document(id="/etc/passwd", text="an id that looks like a path"),
]

QUERIES = [
    *SUBJECTS,
    *(f"{subject} {action}" for subject in SUBJECTS for action in ACTIONS[:2]),
    *(f"which {subject} was compared {place}" for subject in SUBJECTS[::2] for place in PLACES),
]


def make_index(path: Path, encoder: str = "bm25") -> Path:
    """An index of `DOCUMENTS`."""
    with Index.create(path, encoder=encoder) as index:
        index.add(DOCUMENTS)
    return path


def ask(app: FastAPI, method: str, url: str, **options: Any) -> httpx.Response:
    """One request to an application in this process. `content` may be an iterator of bytes: sent in chunks."""
    content = options.pop("content", None)
    if isinstance(content, Iterator):
        chunks = list(content)

        async def stream() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        content = stream()

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, url, content=content, **options)

    return asyncio.run(go())


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer, after a check that the answer has the one shape."""
    record = response.json()
    assert set(record) == {"error"}
    assert set(record["error"]) == {"code", "message", "field"}
    assert response.headers["content-type"] == "application/json"
    return dict(record["error"])


@contextmanager
def service(*paths: str | Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`serve` in a process of its own, on a free port of 127.0.0.1: its address and the process."""
    program = (
        "import sys\n"
        "from lsr.service import serve\n"
        "serve(sys.argv[1:], port=0, announce=lambda url: print(url, flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    try:
        url = process.stdout.readline().strip()
        assert url, f"the service did not start: {process.stderr.read()}"
        watchdog.cancel()
        yield url, process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
