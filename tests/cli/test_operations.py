"""`lsr delete`, `patch`, `optimize`, `snapshot`, `alias`, and filters of `lsr search`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_help import lsr, refused

from lsr import Document, Index


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with Index.create(tmp_path / "index", encoder="bm25") as made:
        made.add([Document(f"d{n}", "a fish", metadata={"n": n}) for n in range(10)])
    return tmp_path / "index"


def documents(path: Path) -> int:
    with Index.open(path) as opened:
        return len(opened)


def test_delete_by_id_and_by_filter(index: Path) -> None:
    assert "1 document deleted, 9 left" in lsr("delete", index, "d0", "nobody").out
    record = json.loads(lsr("delete", index, "--filter", '{"n": {"$gte": 8}}', "--json").out)
    assert (record["deleted"], record["documents"]) == (2, 7)
    for arguments, message in (
        (("--filter", "n = 3"), "the filter is not JSON"),
        (("--filter", "[]"), "not a JSON object"),
        (("--filter", '{"n": {"$like": 3}}'), "is no operator"),
        ((), "either a list of ids or a filter"),
        (("d1", "--filter", "{}"), "either a list of ids or a filter"),
    ):
        assert message in refused("delete", index, *arguments)
    assert documents(index) == 7


def test_search_with_a_filter(index: Path) -> None:
    hits = json.loads(lsr("search", index, "fish", "--filter", '{"n": {"$in": [3, 4]}}', "--json").out)["hits"]
    assert [hit["id"] for hit in hits] == ["d3", "d4"]
    assert "no document that the filter matches" in lsr("search", index, "fish", "--filter", '{"n": -1}').out


def test_patch(index: Path) -> None:
    assert json.loads(lsr("patch", index, "d3", '{"n": null, "tag": ["x"]}').out) == {"tag": ["x"]}
    assert json.loads(lsr("patch", index, "d3", '{"only": 1}', "--replace").out) == {"only": 1}
    assert "no document has the id 'nobody'" in refused("patch", index, "nobody", "{}")
    assert "the change is not JSON" in refused("patch", index, "d3", "{")
    assert "must be a dict" in refused("patch", index, "d3", "3")


def test_optimize_and_info(index: Path) -> None:
    lsr("delete", index, "d1")
    info = json.loads(lsr("info", index, "--json").out)
    assert (info["deleted"], info["deleted_share"]) == (1, 0.1)
    assert "9 documents in 1 segment, generation 3" in lsr("optimize", index).out
    assert json.loads(lsr("optimize", index, "--json").out)["deleted"] == 0
    assert "0 still in segments" in lsr("info", index).out


def test_snapshots(index: Path, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    assert "10 documents, generation 1" in lsr("snapshot", "create", index, tmp_path / "copies").out
    archive = tmp_path / "copies" / "index-00000001.lsr.tar"
    assert "is there already" in refused("snapshot", "create", index, archive)
    assert json.loads(lsr("snapshot", "list", tmp_path / "copies", "--json").out)[0]["documents"] == 10
    lsr("snapshot", "restore", archive, tmp_path / "restored")
    assert documents(tmp_path / "restored") == 10
    assert "is there already" in refused("snapshot", "restore", archive, tmp_path / "restored")


def test_aliases(index: Path, tmp_path: Path) -> None:
    with Index.create(tmp_path / "new", encoder="bm25") as made:
        made.add([Document("only", "fish")])
    alias = tmp_path / "names" / "live"
    lsr("alias", "set", alias, index)
    assert "10 documents" in lsr("check", alias).out
    assert f"before to {index}" in lsr("alias", "set", alias, tmp_path / "new").out
    assert documents(alias) == 1
    assert json.loads(lsr("alias", "list", tmp_path / "names", "--json").out) == {"live": str(tmp_path / "new")}
    lsr("alias", "remove", alias)
    assert lsr("alias", "list", tmp_path / "names").out == ""
    assert "is no alias" in refused("alias", "remove", alias)
