"""What each address answers, and that the answers are what OpenAPI says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from service_help import DOCUMENTS, QUERIES, ask, error_of, make_index

from lsr import Index
from lsr.service import create_app, models
from lsr.vectors import SparseVectors


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.open(make_index(tmp_path_factory.mktemp("routes") / "small")) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(index: Index) -> FastAPI:
    return create_app({"small": index, "again": index}, examples={"small": ["aspirin in winter"]})


def as_sent(record: dict[str, Any]) -> dict[str, Any]:
    """A record after a way through JSON, without the time that it took."""
    sent: dict[str, Any] = json.loads(json.dumps(record))
    sent.pop("took_ms", None)
    return sent


@pytest.mark.parametrize("explain", [False, True])
def test_search_is_the_engines_answer_to_the_last_bit(app: FastAPI, index: Index, explain: bool) -> None:
    for query in QUERIES:
        response = ask(app, "POST", "/v1/indexes/small/search", json={"query": query, "k": 7, "explain": explain})
        assert response.status_code == 200
        models.SearchResponse.model_validate_json(response.content)
        expected = index.search(query, k=7, explain=explain).to_dict()
        assert as_sent(response.json()) == as_sent(expected)
        assert [hit["score"].hex() for hit in response.json()["hits"]] == [h["score"].hex() for h in expected["hits"]]


def test_the_address_form_gives_the_same_answer(app: FastAPI) -> None:
    for query in QUERIES[::5]:
        posted = ask(app, "POST", "/v1/indexes/small/search", json={"query": query, "k": 3, "explain": True})
        got = ask(app, "GET", "/v1/indexes/small/search", params={"query": query, "k": "3", "explain": "true"})
        assert as_sent(got.json()) == as_sent(posted.json())


def test_k_is_10_and_explain_false_by_default(app: FastAPI) -> None:
    answer = ask(app, "POST", "/v1/indexes/small/search", json={"query": "glacier was compared"}).json()
    assert answer["k"] == 10
    assert len(answer["hits"]) == 10
    assert "explanation" not in answer["hits"][0]


def test_contributions_add_up_to_the_score(app: FastAPI) -> None:
    body = {"query": "aspirin and influenza compared in winter", "explain": True}
    for hit in ask(app, "POST", "/v1/indexes/small/search", json=body).json()["hits"]:
        assert sum(term["integer"] for term in hit["explanation"]) == hit["integer_score"]


def test_a_raw_vector_finds_what_its_query_finds(app: FastAPI, index: Index) -> None:
    for query in QUERIES[::7]:
        row: SparseVectors = index.encoder.query_counts([query])
        vector = {str(term): weight for term, weight in zip(row.terms.tolist(), row.weights.tolist(), strict=True)}
        body = {"vector": vector, "fingerprint": index.encoder.fingerprint}
        by_vector = as_sent(ask(app, "POST", "/v1/indexes/small/search", json=body).json())
        by_query = as_sent(ask(app, "POST", "/v1/indexes/small/search", json={"query": query}).json())
        assert by_vector.pop("query") is None
        assert by_query.pop("query") == query
        assert by_vector == by_query


def test_unknown_words_find_nothing_and_are_no_error(app: FastAPI) -> None:
    answer = ask(app, "POST", "/v1/indexes/small/search", json={"query": "zzyzx qwrtp"})
    assert answer.status_code == 200
    assert answer.json()["hits"] == []
    assert answer.json()["terms"] == []


@pytest.mark.parametrize("document", [DOCUMENTS[0], *DOCUMENTS[-4:]], ids=lambda document: ascii(document.id))
def test_a_document_is_found_by_any_id(app: FastAPI, document: Any) -> None:
    # httpx, like every client, would take "%0A" for the line break that it stands for, and slashes as they are
    response = ask(app, "GET", f"/v1/indexes/small/documents/{quote(document.id, safe='')}")
    assert response.status_code == 200
    models.Document.model_validate_json(response.content)
    record = response.json()
    assert record == {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "metadata": document.metadata,
    }


def test_a_slash_in_an_id_may_stand_as_it_is(app: FastAPI) -> None:
    assert ask(app, "GET", "/v1/indexes/small/documents/doc/0-3").json()["id"] == "doc/0-3"


def test_the_list_of_indexes(app: FastAPI, index: Index) -> None:
    response = ask(app, "GET", "/v1/indexes")
    models.IndexList.model_validate_json(response.content)
    first, second = response.json()["indexes"]
    assert (first["name"], second["name"]) == ("small", "again")
    assert first["documents"] == len(index) == len(DOCUMENTS)
    assert first["generation"] == index.generation
    assert (first["encoder"], first["query_idf"]) == ("bm25", index.query_idf)
    assert (first["examples"], second["examples"]) == (["aspirin in winter"], [])


def test_an_index_without_its_place_on_the_machine(app: FastAPI, index: Index) -> None:
    response = ask(app, "GET", "/v1/indexes/small")
    models.IndexInfo.model_validate_json(response.content)
    expected = as_sent(index.info().to_dict())
    del expected["path"]
    assert response.json() == {"name": "small", **expected}
    assert str(index.path) not in response.text


def test_health_and_readiness(app: FastAPI, index: Index) -> None:
    health = ask(app, "GET", "/healthz?from=probe")
    models.Health.model_validate_json(health.content)
    ready = ask(app, "GET", "/readyz")
    assert ready.status_code == 200
    models.Readiness.model_validate_json(ready.content)
    assert ready.json()["indexes"] == {"small": index.generation, "again": index.generation}


@pytest.mark.parametrize("path", ["/v1/indexes", "/v1/indexes/small/search?query=violin", "/", "/healthz"])
def test_head_is_get_without_the_body(app: FastAPI, path: str) -> None:
    head, get = ask(app, "HEAD", path), ask(app, "GET", path)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


def test_another_method_is_told_which_there_are(app: FastAPI) -> None:
    for path, allowed in [
        ("/v1/indexes", "GET, HEAD"),
        ("/v1/indexes/small/search", "GET, HEAD, POST"),
        ("/v1/indexes/small/documents/doc/0-3", "GET, HEAD"),
        ("/page/style.css", "GET, HEAD"),
    ]:
        for method in ("DELETE", "PUT", "PATCH", "OPTIONS"):
            response = ask(app, method, path)
            assert response.status_code == 405
            assert response.headers["allow"] == allowed
            assert error_of(response)["code"] == "method_not_allowed"


def test_the_requests_id_is_echoed_or_made(app: FastAPI) -> None:
    assert (
        ask(app, "GET", "/healthz", headers={"X-Request-ID": "trace-7:a.b_c"}).headers["x-request-id"]
        == "trace-7:a.b_c"
    )
    made = {
        ask(app, "GET", "/healthz", headers=headers).headers["x-request-id"]
        for headers in ({}, {"X-Request-ID": "a b"})
    }
    assert len(made) == 2
    assert all(len(each) == 32 for each in made)
    assert ask(app, "GET", "/nowhere", headers={"X-Request-ID": "lost"}).headers["x-request-id"] == "lost"


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/indexes", "/nowhere", "/page/app.js", "/openapi.json"])
def test_every_answer_has_safe_headers(app: FastAPI, path: str) -> None:
    headers = ask(app, "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
