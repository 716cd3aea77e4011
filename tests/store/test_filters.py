"""What a filter matches, against the sentences of its documentation; and what is no filter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.documents import Document
from lsr.errors import InvalidFilterError
from lsr.store.filters import compile_filter

BIRD: dict[str, Any] = {
    "year": 2005,
    "score": 1.5,
    "place": "Oslo",
    "tags": ["bird", "north", 7],
    "author": {"name": "Ann", "age": 40},
    "draft": False,
    "gone": None,
    "a.b": "dotted",
    "empty": [],
}


def matches(filter: dict[str, Any]) -> bool:
    return compile_filter(filter)(Document("robin", "a text", title="Robin", metadata=BIRD))


@pytest.mark.parametrize(
    "filter",
    [
        {},
        {"year": 2005},
        {"year": 2005.0},
        {"year": {"$gte": 2005, "$lt": 2006}, "place": "Oslo"},
        {"year": {"$in": [1, 2005]}},
        {"place": {"$gt": "Os", "$lte": "Oslo"}},
        {"tags": "bird"},
        {"tags": {"$in": ["x", 7]}},
        {"tags": {"$gt": 6}},
        {"author.name": "Ann"},
        {"author.age": {"$exists": True}},
        {"a\\.b": "dotted"},
        {"draft": False},
        {"gone": None},
        {"gone": {"$exists": True}},
        {"nothing": {"$exists": False}},
        {"nothing": {"$ne": 1}},
        {"nothing": {"$nin": [1]}},
        {"tags": {"$nin": ["south"]}},
        {"$or": [{"year": 1}, {"place": "Oslo"}]},
        {"$and": [{"year": 2005}, {"$not": {"place": "Rome"}}]},
        {"$not": {"nothing": 1}},
        {"_id": "robin", "title": "Robin", "text": {"$gte": "a"}},
    ],
)
def test_matches(filter: dict[str, Any]) -> None:
    assert matches(filter)
    assert not matches({"$not": filter})


@pytest.mark.parametrize(
    "filter",
    [
        {"year": 2006},
        {"year": "2005"},
        {"year": True},
        {"draft": 0},
        {"year": {"$gt": "1"}},
        {"place": {"$gt": 1}},
        {"draft": {"$gte": 0}},
        {"gone": {"$lt": 1}},
        {"nothing": None},
        {"nothing": {"$lt": 1}},
        {"tags": {"$ne": "bird"}},
        {"tags": {"$nin": ["bird"]}},
        {"empty": {"$gte": 0}},
        {"author": "Ann"},
        {"a.b": "dotted"},
        {"year": {"$in": []}},
        {"$or": [{"year": 1}, {"year": 2}]},
        {"year": 2005, "place": "Rome"},
    ],
)
def test_does_not_match(filter: dict[str, Any]) -> None:
    assert not matches(filter)


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        (3, "a filter is an object, not 3"),
        ({"$xor": []}, "'\\$xor' is no operator here"),
        ({"$and": []}, "\\$and takes a list"),
        ({"$or": {"a": 1}}, "\\$or takes a list"),
        ({"$not": [1]}, "a filter is an object"),
        ({"a": {}}, "condition of 'a' is empty"),
        ({"a": {"$regex": "x"}}, "a: '\\$regex' is no operator"),
        ({"a": {"b": 1}}, "a: 'b' is no operator"),
        ({"a": [1]}, "a: \\$eq takes a text"),
        ({"a": {"$in": 3}}, "a: \\$in takes a list"),
        ({"a": {"$in": [[]]}}, "a: \\$in takes a text"),
        ({"a": {"$gt": None}}, "a: \\$gt takes a number or a text"),
        ({"a": {"$gt": True}}, "a: \\$gt takes a number or a text"),
        ({"a": {"$lt": float("nan")}}, "a: \\$lt takes a number"),
        ({"a": {"$exists": 1}}, "a: \\$exists takes true or false"),
        ({3: 1}, "a field's name is a text"),
    ],
)
def test_what_is_no_filter_is_named(filter: Any, message: str) -> None:
    with pytest.raises(InvalidFilterError, match=message):
        compile_filter(filter)


def test_nesting_and_lists_are_bounded() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(40):
        deep = {"$not": deep}
    with pytest.raises(InvalidFilterError, match="nested more than"):
        compile_filter(deep)
    with pytest.raises(InvalidFilterError, match="values at most"):
        compile_filter({"a": {"$in": list(range(100_001))}})


_VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "b"])


@given(st.dictionaries(st.sampled_from("xyz"), _VALUES | st.lists(_VALUES, max_size=3), max_size=3), _VALUES)
def test_operators_agree_with_each_other(metadata: dict[str, Any], value: Any) -> None:
    document = Document("d", "t", metadata=metadata)

    def holds(filter: dict[str, Any]) -> bool:
        return compile_filter(filter)(document)

    equal = holds({"x": value})
    assert equal == holds({"x": {"$in": [value]}})
    assert equal != holds({"x": {"$ne": value}})
    assert equal != holds({"x": {"$nin": [value]}})
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        assert not equal or holds({"x": {"$gte": value}})
        single = metadata.get("x")
        if isinstance(single, type(value)) and not isinstance(single, bool):
            assert holds({"x": {"$lt": value}}) != holds({"x": {"$gte": value}})
    assert holds({"x": {"$exists": True}}) == ("x" in metadata)
