"""What is refused: each wrong request gets its 4xx, one shape, and the field by name; never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from service_help import ask, error_of, make_index

from lsr import Index
from lsr.service import create_app

SEARCH = "/v1/indexes/small/search"
JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.open(make_index(tmp_path_factory.mktemp("refusals") / "small")) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(index: Index) -> FastAPI:
    return create_app({"small": index})


WRONG_FIELDS: list[tuple[str, str]] = [
    # body, field
    ('{"query": "a", "topk": 3}', "topk"),
    ('{"query": "a", "": 3}', ""),
    ('{"query": "a", "k": 0}', "k"),
    ('{"query": "a", "k": -5}', "k"),
    ('{"query": "a", "k": 1001}', "k"),
    ('{"query": "a", "k": 99999999999999999999999999}', "k"),
    ('{"query": "a", "k": ' + "9" * 6000 + "}", "k"),
    ('{"query": "a", "k": 3.0}', "k"),
    ('{"query": "a", "k": 1e1}', "k"),
    ('{"query": "a", "k": 1e999}', "k"),
    ('{"query": "a", "k": NaN}', "k"),
    ('{"query": "a", "k": true}', "k"),
    ('{"query": "a", "k": "3"}', "k"),
    ('{"query": "a", "k": null}', "k"),
    ('{"query": "a", "k": [3]}', "k"),
    ('{"query": "a", "explain": 1}', "explain"),
    ('{"query": "a", "explain": "true"}', "explain"),
    ('{"query": 3}', "query"),
    ('{"query": ["a"]}', "query"),
    ('{"query": true}', "query"),
    ('{"query": NaN}', "query"),
    ('{"query": ""}', "query"),
    ('{"query": " \\t\\n "}', "query"),
    ('{"query": null}', "query"),
    ("{}", "query"),
    ('{"query": "\\ud800"}', "query"),
    ('{"query": "' + "a" * 10_001 + '"}', "query"),
    ('{"query": "a", "vector": {"1": 1}, "fingerprint": "FP"}', "query"),
    ('{"query": "a", "fingerprint": "FP"}', "fingerprint"),
    ('{"vector": {"1": 1}}', "fingerprint"),
    ('{"vector": {"1": 1}, "fingerprint": 3}', "fingerprint"),
    ('{"vector": {"1": 1}, "fingerprint": ""}', "fingerprint"),
    ('{"vector": {"1": 1}, "fingerprint": "' + "a" * 300 + '"}', "fingerprint"),
    ('{"vector": {"1": NaN}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": Infinity}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": -Infinity}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": 1e999}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": 1' + "0" * 5000 + '}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": -1}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": 0}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": -0.0}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": true}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": "1"}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"1": null}, "fingerprint": "FP"}', "vector.1"),
    ('{"vector": {"01": 1}, "fingerprint": "FP"}', "vector.01"),
    ('{"vector": {"-1": 1}, "fingerprint": "FP"}', "vector.-1"),
    ('{"vector": {"word": 1}, "fingerprint": "FP"}', "vector.word"),
    ('{"vector": {"1\\n": 1}, "fingerprint": "FP"}', "vector.1\n"),
    ('{"vector": {"\\u0661": 1}, "fingerprint": "FP"}', "vector.\u0661"),
    ('{"vector": {}, "fingerprint": "FP"}', "vector"),
    ('{"vector": [1], "fingerprint": "FP"}', "vector"),
    ('{"vector": {"1": 1e39}, "fingerprint": "FP"}', "vector.1"),  # beyond float32
    ('{"vector": {"1": 1e-320}, "fingerprint": "FP"}', "vector.1"),  # below it
    ('{"vector": {"4294967296": 1}, "fingerprint": "FP"}', "vector"),
    ('{"query": "a", "query": "b"}', "query"),
    ('{"vector": {"1": 1, "1": 2}, "fingerprint": "FP"}', "1"),
    ('{"query": "a", "\\ud800": 1}', "\\ud800"),
]


@pytest.mark.parametrize(("body", "field"), WRONG_FIELDS, ids=[body[:40] for body, _ in WRONG_FIELDS])
def test_a_wrong_field_is_named(app: FastAPI, index: Index, body: str, field: str) -> None:
    response = ask(app, "POST", SEARCH, content=body.replace("FP", index.encoder.fingerprint).encode(), headers=JSON)
    error = error_of(response)
    assert response.status_code == 422, error
    assert error["field"] == field
    assert len(error["message"]) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"query=a",
        b'{"query": "a",}',
        b"\xff\xfe{}",
        b'{"query": "\xe9"}',
        b'{"query": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"query": "a"}',
        '{"query": "a"}'.encode("utf-16"),
        b'{"query": "a"} {}',
        b"{'query': 'a'}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"query": "a\x00"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_refused(app: FastAPI, body: bytes) -> None:
    response = ask(app, "POST", SEARCH, content=body, headers=JSON)
    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"3", b'"query"', b"null", b"NaN", b"true"])
def test_a_body_that_is_no_object_is_refused(app: FastAPI, body: bytes) -> None:
    response = ask(app, "POST", SEARCH, content=body, headers=JSON)
    assert (response.status_code, error_of(response)["field"]) == (422, None)


def test_nesting_where_text_belongs_is_refused(app: FastAPI) -> None:
    nested = '{"query": ' + "[" * 200 + "]" * 200 + "}"
    response = ask(app, "POST", SEARCH, content=nested.encode(), headers=JSON)
    assert (response.status_code, error_of(response)["field"]) == (422, "query")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_refused(app: FastAPI, headers: dict[str, str]) -> None:
    response = ask(app, "POST", SEARCH, content=b'{"query": "a"}', headers=headers)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (415, "unsupported_media_type")
    assert error["field"] == ("Content-Encoding" if "Content-Encoding" in headers else "Content-Type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_by_any_of_its_names_is_read(app: FastAPI, kind: str) -> None:
    assert ask(app, "POST", SEARCH, content=b'{"query": "a"}', headers={"Content-Type": kind}).status_code == 200


def test_a_body_of_a_mebibyte_is_read_and_one_byte_more_is_not(app: FastAPI) -> None:
    start, end = b'{"query": "', b'"}'
    whole = start + b"a" * (MIB - len(start) - len(end)) + end
    within = ask(app, "POST", SEARCH, content=whole, headers=JSON)
    assert (within.status_code, error_of(within)["field"]) == (422, "query")
    beyond = ask(app, "POST", SEARCH, content=whole + b" ", headers=JSON)
    assert (beyond.status_code, error_of(beyond)["code"]) == (413, "body_too_large")
    in_chunks = ask(app, "POST", SEARCH, content=iter([whole, b" ", b" "]), headers=JSON)
    assert "content-length" not in in_chunks.request.headers
    assert (in_chunks.status_code, error_of(in_chunks)["code"]) == (413, "body_too_large")


def test_a_vector_has_ten_thousand_terms_at_most(app: FastAPI, index: Index) -> None:
    for terms, status in ((10_000, 200), (10_001, 422)):
        body = {"vector": {str(term): 1 for term in range(terms)}, "fingerprint": index.encoder.fingerprint}
        assert ask(app, "POST", SEARCH, json=body).status_code == status


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ("", 422, "query"),
        ("query=", 422, "query"),
        ("query=a&topk=3", 422, "topk"),
        ("query=a&k=0", 422, "k"),
        ("query=a&k=1001", 422, "k"),
        ("query=a&k=", 422, "k"),
        ("query=a&k=3.0", 422, "k"),
        ("query=a&k=1_0", 422, "k"),
        ("query=a&k=%D9%A3", 422, "k"),
        ("query=a&k=" + "9" * 5000, 422, "k"),
        ("query=a&k=NaN", 422, "k"),
        ("query=a&explain=1", 422, "explain"),
        ("query=a&explain=True", 422, "explain"),
        ("query=a&query=b", 422, "query"),
        ("query=a&vector=1", 422, "vector"),
        ("query=" + "a" * 10_001, 422, "query"),
        ("query=%FF", 400, None),
        ("query=%ED%A0%80", 400, None),
        ("&".join(f"p{number}=1" for number in range(200)), 400, None),
    ],
)
def test_a_wrong_parameter_is_named(app: FastAPI, parameters: str, status: int, field: str | None) -> None:
    response = ask(app, "GET", f"{SEARCH}?{parameters}")
    assert (response.status_code, error_of(response)["field"]) == (status, field)


@pytest.mark.parametrize("path", ["/v1/indexes", "/v1/indexes/small", "/v1/indexes/small/documents/doc/0-3"])
def test_unknown_parameters_are_refused_everywhere(app: FastAPI, path: str) -> None:
    response = ask(app, "GET", f"{path}?pretty=1")
    assert (response.status_code, error_of(response)["field"]) == (422, "pretty")
    posted = ask(app, "POST", f"{SEARCH}?k=3", json={"query": "a"})
    assert (posted.status_code, error_of(posted)["field"]) == (422, "k")


def test_an_unknown_index_is_told_which_there_are(app: FastAPI) -> None:
    for method, path in [
        ("GET", "/v1/indexes/other"),
        ("GET", "/v1/indexes/other/search?query=a"),
        ("POST", "/v1/indexes/..%2f..%2fetc/search"),
        ("GET", "/v1/indexes/SMALL/documents/doc/0-3"),
    ]:
        response = ask(app, method, path, json={"query": "a"} if method == "POST" else None)
        if "%2f" in path:
            assert response.status_code == 404
            continue
        error = error_of(response)
        assert (response.status_code, error["code"], error["field"]) == (404, "index_not_found", "index")
        assert "small" in error["message"]


@pytest.mark.parametrize("id", ["nothing", "doc", "doc/0-3/", "%FF", "%00", "a" * 60_000, "%0Adoc/0-3", "doc/0-3%0A"])
def test_an_unknown_document_is_not_found(app: FastAPI, id: str) -> None:
    response = ask(app, "GET", f"/v1/indexes/small/documents/{id}")
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (404, "document_not_found", "id")
    assert len(error["message"]) < 1000


def test_a_vector_of_another_encoder_is_refused(app: FastAPI) -> None:
    response = ask(app, "POST", SEARCH, json={"vector": {"1": 1}, "fingerprint": "0" * 64})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (409, "encoder_mismatch", "fingerprint")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v1",
        "/v1/indexes/",
        "//v1/indexes",
        "/V1/indexes",
        "/page",
        "/page/",
        "/page/none.js",
        "/page/%2e%2e/app.py",
        "/page/..%2fapp.py",
    ],
)
def test_an_unknown_address_has_the_same_shape(app: FastAPI, path: str) -> None:
    response = ask(app, "GET", path)
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "query": st.text() | anything,
        "vector": st.dictionaries(st.integers(-5, 2**33).map(str) | st.text(max_size=3), st.floats() | anything)
        | anything,
        "fingerprint": st.just("FP") | anything,
        "k": st.integers(-2, 1200) | anything,
        "explain": st.booleans() | anything,
        "other": anything,
    },
)


@settings(max_examples=300, deadline=None)
@given(record=requests | anything)
def test_no_json_at_all_makes_the_server_fail(app: FastAPI, index: Index, record: Any) -> None:
    body = json.dumps(record).replace('"FP"', f'"{index.encoder.fingerprint}"').encode()
    response = ask(app, "POST", SEARCH, content=body, headers=JSON)
    assert response.status_code in (200, 409, 422)
    if response.status_code != 200:
        error_of(response)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60))
def test_no_bytes_at_all_make_the_server_fail(app: FastAPI, body: bytes) -> None:
    assert ask(app, "POST", SEARCH, content=body, headers=JSON).status_code in (400, 422)
