"""The service as a process of its own on 127.0.0.1: real sockets, real signals, real threads."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from service_help import PATIENCE_SECONDS, QUERIES, error_of, make_index, service

from lsr import Document, Index
from lsr.errors import InvalidSettingError
from lsr.service import serve

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("process") / "small")


@pytest.fixture(scope="module")
def url(path: Path) -> Iterator[str]:
    with service(path, f"neural={path}") as (address, _):
        yield address


def hits_of(record: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(hit["id"], float(hit["score"]).hex(), hit["integer_score"]) for hit in record["hits"]]


def test_it_listens_on_the_loopback_only(url: str) -> None:
    assert urlsplit(url).hostname == "127.0.0.1"


def test_eight_threads_get_what_the_library_gives_one(url: str, path: Path) -> None:
    with Index.open(path) as index:
        expected = {query: hits_of(index.search(query).to_dict()) for query in QUERIES}

    def one(number: int) -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            for query in QUERIES[number:] + QUERIES[:number]:
                name = ("small", "neural")[number % 2]
                response = client.post(f"/v1/indexes/{name}/search", json={"query": query, "explain": number % 3 == 0})
                assert response.status_code == 200
                assert hits_of(response.json()) == expected[query]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(one, number) for number in range(8)]:
            done.result(PATIENCE_SECONDS)


def test_a_commit_of_another_process_is_found_soon(tmp_path: Path) -> None:
    path = make_index(tmp_path / "growing")
    with service(path) as (url, _), httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
        generations = []
        for number in range(3):
            word = ("sextant", "astrolabe", "chronometer")[number]
            search = {"query": word}
            assert client.post("/v1/indexes/growing/search", json=search).json()["hits"] == []
            with Index.open(path, writable=True) as writer:
                writer.add([Document(id=word, text=f"a {word} in brass")])
                if number == 2:
                    writer.optimize()
                newest = writer.generation
            for _ in range(200):
                answer = client.post("/v1/indexes/growing/search", json=search).json()
                if answer["generation"] == newest:
                    break
                assert answer["hits"] == [] or number == 2
                time.sleep(0.05)
            assert answer["generation"] == newest
            assert [hit["id"] for hit in answer["hits"]] == [word]
            generations.append(client.get("/readyz").json()["indexes"]["growing"])
        assert generations == sorted(generations)


def test_searches_go_on_while_a_writer_commits(tmp_path: Path) -> None:
    """Each answer is one generation's: the hits for a word that every batch adds are as many as that generation has."""
    path = make_index(tmp_path / "busy")
    counts = {}
    with Index.open(path, writable=True) as writer, service(path) as (url, _):
        counts[writer.generation] = 0
        done = threading.Event()
        seen: list[tuple[int, int]] = []

        def read() -> None:
            with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
                while not done.is_set():
                    response = client.post("/v1/indexes/busy/search", json={"query": "sextant", "k": 1000})
                    assert response.status_code == 200, response.text
                    seen.append((response.json()["generation"], len(response.json()["hits"])))

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            try:
                for batch in range(6):
                    writer.add([Document(id=f"{batch}-{n}", text=f"sextant number {n}") for n in range(5)])
                    counts[writer.generation] = 5 * (batch + 1)
                    time.sleep(0.3)
            finally:
                done.set()
            for reader in readers:
                reader.result(PATIENCE_SECONDS)
    assert seen
    assert all(counts[generation] == hits for generation, hits in seen)


def test_a_body_that_grows_too_large_in_chunks_is_refused(url: str) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(48):
            sent += 1
            yield b" " * (1 << 16)

    response = httpx.post(f"{url}v1/indexes/small/search", content=chunks(), headers=JSON, timeout=PATIENCE_SECONDS)
    assert (response.status_code, error_of(response)["code"]) == (413, "body_too_large")


def test_a_body_that_is_declared_too_large_is_refused_unread(url: str) -> None:
    head = (
        "POST /v1/indexes/small/search HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 999999999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode())
        answer = b""
        while part := connection.recv(65536):  # until the server closes
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    "raw",
    [b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"],
)
def test_what_is_not_http_leaves_the_server_well(url: str, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        assert b" 200 " not in connection.recv(65536).split(b"\r\n")[0]
    assert httpx.get(f"{url}healthz", timeout=PATIENCE_SECONDS).json() == {"status": "ok"}


def test_a_signal_ends_it_after_the_requests_that_run(path: Path) -> None:
    with service(path) as (url, process):
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            assert client.get("/readyz").status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(path: Path, url: str) -> None:
    port = urlsplit(url).port
    assert port is not None
    with pytest.raises(InvalidSettingError, match=f"cannot listen on 127.0.0.1, port {port}"):
        serve([path / "nothing-there"], port=port)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_examples_of_the_readme_run(path: Path, url: str) -> None:
    readme = (Path(__file__).parents[2] / "service" / "README.md").read_text(encoding="utf-8")
    commands = [block for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) if "curl" in block]
    assert len(commands) == 5
    for command in commands:
        command = command.replace("http://127.0.0.1:8080/", url).replace("python-docs", "small")
        command = command.replace("atexit.register", "doc/0-3").replace("curl -s", "curl --noproxy '*' -s -w '\\n'")
        done = subprocess.run(
            ["sh", "-ec", command], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
        records = [json.loads(line) for line in done.stdout.splitlines() if line]
        assert records
        assert not any("error" in record for record in records), records
