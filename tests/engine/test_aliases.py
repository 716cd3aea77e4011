"""Aliases lead to one index or the other, never to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsr import Document, Index
from lsr.engine.aliases import list_aliases, remove_alias, set_alias
from lsr.errors import AliasError, NotAnIndexError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, count in (("one", 1), ("two", 2)):
        with Index.create(tmp_path / name, encoder="bm25") as index:
            index.add([Document(str(n), "fish") for n in range(count)])
    return tmp_path


def test_an_alias_leads_from_one_index_to_the_other(place: Path) -> None:
    alias = place / "aliases" / "live"
    assert set_alias(alias, place / "one") == place / "one"
    assert list_aliases(place / "aliases") == {"live": place / "one"}
    with Index.open(alias, writable=True) as opened:
        assert set_alias(alias, place / "two") == place / "one"
        assert opened.moved
        opened.add([Document("new", "fish")])  # it keeps the index that it opened
        assert len(opened) == 2
        assert not opened.refresh()
    with Index.open(alias) as opened:
        assert (opened.folder, len(opened), opened.moved) == (place / "two", 2, False)
        assert opened.path == alias
    with Index.open(place / "one") as opened:
        assert len(opened) == 2
    remove_alias(alias)
    assert list_aliases(place / "aliases") == {}
    assert (place / "two").is_dir()


def test_an_alias_of_an_alias_leads_to_the_index(place: Path) -> None:
    set_alias(place / "live", place / "one")
    set_alias(place / "other", place / "live")
    set_alias(place / "live", place / "two")
    assert list_aliases(place)["other"] == place / "one"


def test_what_is_no_alias_is_left_alone(place: Path) -> None:
    with pytest.raises(AliasError, match="is no alias but a real file or folder"):
        set_alias(place / "two", place / "one")
    with pytest.raises(NotAnIndexError):
        set_alias(place / "live", place / "three")
    with pytest.raises(AliasError, match="is no alias"):
        remove_alias(place / "one")
    with pytest.raises(AliasError, match="is no folder"):
        list_aliases(place / "three")
    assert not list_aliases(place)
