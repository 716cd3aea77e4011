"""The command line, the REST service and Python give the same hits, scores and order, to the last bit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient

from lsr import Index, read_documents
from lsr.cli.__main__ import main
from lsr.service.app import create_app

QUERIES = 50


def by_shell(path: Path, query: str, k: int, explain: bool) -> dict[str, Any]:
    """`lsr search … --json`, in this process."""
    argv = ["lsr", "search", str(path), "--json", "-k", str(k), *(["--explain"] if explain else []), "--", query]
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None), err.getvalue()
    return dict(json.loads(out.getvalue()))


def by_process(path: Path, query: str, k: int) -> dict[str, Any]:
    """The same in a process of its own, which answers without the compiled kernels."""
    command = [sys.executable, "-m", "lsr.cli", "search", str(path), "--json", "-k", str(k), "--", query]
    done = subprocess.run(command, capture_output=True, check=True, timeout=240)
    return dict(json.loads(done.stdout))


def by_rest(client: TestClient, query: str, k: int, explain: bool) -> dict[str, Any]:
    """POST, and GET where the address can say as much."""
    answer = client.post("/v1/indexes/it/search", json={"query": query, "k": k, "explain": explain})
    assert answer.status_code == 200, answer.text
    by_address = client.get("/v1/indexes/it/search", params={"query": query, "k": k, "explain": str(explain).lower()})
    assert by_address.json()["hits"] == answer.json()["hits"]
    return dict(answer.json())


def bits(answer: dict[str, Any]) -> str:
    """What must be the same: everything but how long it took. Floats are written so that no two of them look alike."""
    return json.dumps({name: value for name, value in answer.items() if name != "took_ms"}, sort_keys=True)


@pytest.fixture(scope="module")
def queries(beir: Callable[[str], Path]) -> list[str]:
    with (beir("scifact") / "queries.jsonl").open() as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return texts[:: len(texts) // QUERIES][:QUERIES]


@pytest.fixture(scope="module", params=["bm25", "splade-tiny-doc"])
def path(request: pytest.FixtureRequest, beir: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SciFact by BM25, in several segments and with a few documents deleted; a part of it by the neural encoder."""
    documents = list(read_documents(beir("scifact")))
    if request.param != "bm25":
        documents = documents[::17]
    folder: Path = tmp_path_factory.mktemp("three") / str(request.param)
    with Index.create(folder, encoder=request.param) as index:
        for start in range(0, len(documents), 1000):
            index.add(documents[start : start + 1000])
        index.delete([document.id for document in documents[::50]])
    return folder


@pytest.fixture(scope="module")
def index(path: Path) -> Iterator[Index]:
    with Index.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(path: Path) -> Iterator[TestClient]:
    with Index.open(path) as opened, TestClient(create_app({"it": opened})) as made:
        yield made


def test_three_ways_one_answer(path: Path, index: Index, client: TestClient, queries: list[str]) -> None:
    assert len(queries) == QUERIES
    found = 0
    for number, query in enumerate(queries):
        k, explain = (10, 1, 100)[number % 3], number % 2 == 0
        expected = index.search(query, k=k, explain=explain)
        assert bits(by_shell(path, query, k, explain)) == bits(expected.to_dict())
        assert bits(by_rest(client, query, k, explain)) == bits(expected.to_dict())
        assert [(hit.id, hit.score) for hit in expected.hits] == index.search_batch([query], k=k)[0]
        found += len(expected.hits)
    assert found > QUERIES


def test_a_process_of_its_own_says_the_same(path: Path, index: Index, queries: list[str]) -> None:
    for query in queries[:2]:
        assert bits(by_process(path, query, 100)) == bits(index.search(query, k=100).to_dict())
