"""Filters over HTTP, and a service whose alias moves under it."""

from __future__ import annotations

from pathlib import Path

import pytest
from service_help import ask, error_of, make_index

from lsr import Document, Index
from lsr.engine.aliases import set_alias
from lsr.service import create_app, models

SEARCH = "/v1/indexes/small/search"


def test_a_filter_is_the_engines(tmp_path: Path) -> None:
    with Index.open(make_index(tmp_path / "small")) as index:
        app = create_app({"small": index})
        filter = {"year": {"$gte": 2003, "$lt": 2005}, "nested.list": 2.5, "$not": {"place": "at night"}}
        response = ask(app, "POST", SEARCH, json={"query": "study compared", "k": 50, "filter": filter})
        models.SearchResponse.model_validate_json(response.content)
        found = [hit["id"] for hit in response.json()["hits"]]
        assert found == [hit.id for hit in index.search("study compared", k=50, filter=filter).hits]
        assert len(found) == 8
        error = error_of(ask(app, "POST", SEARCH, json={"query": "study", "filter": {"year": {"$near": 3}}}))
        assert (error["code"], error["field"]) == ("invalid_filter", "filter")
        bad: object
        for bad in (3, "year = 3", [], {"year": float("1e999")}):
            response = ask(app, "POST", SEARCH, content=_json(bad), headers={"Content-Type": "application/json"})
            assert response.status_code == 422
            assert error_of(response)["field"].startswith("filter")


def _json(filter: object) -> str:
    import json

    return json.dumps({"query": "study", "filter": filter})


@pytest.mark.parametrize("encoder", ["bm25", "splade-tiny-doc"])
def test_the_service_follows_an_alias(tmp_path: Path, encoder: str) -> None:
    for name in ("one", "two", "three"):
        with Index.create(tmp_path / name, encoder="bm25" if name == "three" else encoder) as made:
            made.add([Document(f"of-{name}", "a fish")])
    set_alias(tmp_path / "live", tmp_path / "one")
    with Index.open(tmp_path / "live") as index:
        app = create_app({"small": index}, refresh_seconds=0.0)

        def found() -> list[str]:
            return [hit["id"] for hit in ask(app, "POST", SEARCH, json={"query": "fish"}).json()["hits"]]

        assert found() == ["of-one"]
        for name in ("two", "three", "one"):
            set_alias(tmp_path / "live", tmp_path / name)
            assert found() == [f"of-{name}"]
        with Index.open(tmp_path / "one", writable=True) as writer:
            writer.add([Document("more", "fish")])
        assert sorted(found()) == ["more", "of-one"]
