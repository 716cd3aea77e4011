"""Indexes that earlier versions wrote can be opened: tiny ones are kept here, with the hits that they gave then.

Made by that version's `Index`: two additions, three deletions, a replacement; BM25.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from lsr import Document, Index, check_index

DATA = Path(__file__).parent / "data"
VERSIONS = sorted(path.name.removesuffix(".tar.gz") for path in DATA.glob("index-v*.tar.gz"))


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, list[list[object]]]]:
    with tarfile.open(DATA / f"{request.param}.tar.gz") as tar:
        tar.extractall(tmp_path / "index", filter="data")
    return tmp_path / "index", json.loads((DATA / f"{request.param}.json").read_text())


def test_earlier_formats_are_brought_up_to_date(kept: tuple[Path, dict[str, list[list[object]]]]) -> None:
    """By whoever may write, or by `lsr check --repair`; hits and scores are to the last bit what they were."""
    path, expected = kept
    check_index(path, repair=True)
    assert check_index(path).sound
    with Index.open(path) as index:
        for query, hits in expected.items():
            found = index.search(query, k=200).hits
            assert [[hit.id, hit.integer_score, hit.score] for hit in found] == hits


def test_earlier_formats_can_be_written(kept: tuple[Path, dict[str, list[list[object]]]]) -> None:
    path, expected = kept
    with Index.open(path, writable=True) as index:
        for query, hits in expected.items():
            assert [hit.id for hit in index.search(query, k=200).hits] == [hit[0] for hit in hits]
        documents = len(index)
        index.add([Document("new", "zebra")])
        index.delete(["d1"])
        assert [hit.id for hit in index.search("zebra").hits] == ["new"]
        index.optimize()
        assert len(index) == documents
    assert check_index(path).sound


def test_the_versions_are_there() -> None:
    assert "index-v1" in VERSIONS
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 100_000
