"""Filters over documents' metadata: which documents a deletion, or a search, is about.

A filter is a JSON object; all of its entries must hold::

    {"year": {"$gte": 2000, "$lt": 2010}, "place": "Oslo"}
    {"$or": [{"tags": "bird"}, {"$not": {"author.name": {"$exists": true}}}]}
    {"_id": {"$in": ["a", "b"]}}

=================  ====================================================================================================
`FIELD: value`     as `{"$eq": value}`
`$eq`, `$ne`       equal, not equal, to a text, a number, true, false or null
`$in`, `$nin`      equal to one, to none, of a list of these
`$gt $gte $lt      numbers by value, texts by code point; a value of the other kind, or none, does not match
$lte`
`$exists`          true or false: whether the field is there (null is)
`$and`, `$or`      a list of filters
`$not`             one filter
=================  ====================================================================================================

A field is a key of the metadata; dots lead into nested objects (`author.name`), `\\.` is a dot of the key itself.
`_id`, `title` and `text` are the document's own. A field that holds a list matches where any of its elements does;
`$ne`, `$nin` and `$not` hold exactly where `$eq`, `$in` and the filter do not, so also where the field is missing. True
and false are no numbers. The empty filter matches everything.

Knows documents. Knows nothing of rows, ordinals or scores.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from lsr.documents import Document
from lsr.errors import InvalidFilterError

#: Whether a document is meant.
Predicate = Callable[[Document], bool]

#: Filters nested deeper, or with more conditions, are refused.
MAX_DEPTH, MAX_VALUES = 32, 100_000

_RANGES: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = ("$eq", "$ne", "$in", "$nin", *_RANGES, "$exists")
_MISSING = object()


def compile_filter(filter: Mapping[str, Any]) -> Predicate:
    """The predicate of a filter.

    Raises
    ------
    InvalidFilterError
        Names the operator or field that is wrong.
    """
    return _compile(filter, 0)


def _compile(filter: object, depth: int) -> Predicate:
    if depth > MAX_DEPTH:
        raise InvalidFilterError(f"the filter is nested more than {MAX_DEPTH} deep")
    if not isinstance(filter, Mapping):
        raise InvalidFilterError(
            f"a filter is an object, not {_shown(filter)}", remedy='for example {"year": {"$gte": 2000}}'
        )
    parts: list[Predicate] = []
    for name, value in filter.items():
        if not isinstance(name, str):
            raise InvalidFilterError(f"a field's name is a text, not {_shown(name)}")
        if name in ("$and", "$or"):
            if not isinstance(value, list | tuple) or not value:
                raise InvalidFilterError(f"{name} takes a list of filters, not {_shown(value)}")
            parts.append(_joined(name, [_compile(each, depth + 1) for each in value]))
        elif name == "$not":
            parts.append(_negated(_compile(value, depth + 1)))
        elif name.startswith("$"):
            raise InvalidFilterError(f"{name!r} is no operator here", remedy="known are $and, $or, $not, or a field")
        else:
            parts.append(_field(name, value))
    return _joined("$and", parts)


def _joined(name: str, parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    combine = all if name == "$and" else any
    return lambda document: combine(part(document) for part in parts)


def _negated(part: Predicate) -> Predicate:
    return lambda document: not part(document)


def _field(name: str, condition: object) -> Predicate:
    get = _getter(name)
    if not isinstance(condition, Mapping):
        return _test(name, get, "$eq", condition)
    if not condition:
        raise InvalidFilterError(f"the condition of {name!r} is empty", remedy=f"known are {', '.join(_OPERATORS)}")
    return _joined("$and", [_test(name, get, each, value) for each, value in condition.items()])


def _test(name: str, get: Callable[[Document], Any], operation: object, value: object) -> Predicate:
    match operation:
        case "$eq" | "$ne":
            test = _among(get, [_scalar(name, operation, value)])
            return test if operation == "$eq" else _negated(test)
        case "$in" | "$nin":
            if not isinstance(value, list | tuple | set | frozenset):
                raise InvalidFilterError(f"{name}: {operation} takes a list, not {_shown(value)}")
            if len(value) > MAX_VALUES:
                raise InvalidFilterError(f"{name}: {operation} takes {MAX_VALUES:,} values at most, not {len(value):,}")
            test = _among(get, [_scalar(name, operation, each) for each in value])
            return test if operation == "$in" else _negated(test)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _range(name, get, operation, value)
        case "$exists":
            if not isinstance(value, bool):
                raise InvalidFilterError(f"{name}: $exists takes true or false, not {_shown(value)}")
            return lambda document: (get(document) is not _MISSING) is value
        case _:
            raise InvalidFilterError(
                f"{name}: {_shown(operation)} is no operator", remedy=f"known are {', '.join(_OPERATORS)}"
            )


def _among(get: Callable[[Document], Any], values: list[object]) -> Predicate:
    wanted = {_key(value) for value in values}

    def test(document: Document) -> bool:
        found = get(document)
        if isinstance(found, list):
            return any(_key(each) in wanted for each in found if not isinstance(each, list | dict))
        return not isinstance(found, dict) and _key(found) in wanted

    return test


def _range(name: str, get: Callable[[Document], Any], operation: str, value: object) -> Predicate:
    compare = _RANGES[operation]
    kind = str if isinstance(value, str) else (int, float)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value != value:
        raise InvalidFilterError(f"{name}: {operation} takes a number or a text, not {_shown(value)}")

    def holds(found: object) -> bool:
        return isinstance(found, kind) and not isinstance(found, bool) and compare(found, value)

    def test(document: Document) -> bool:
        found = get(document)
        return any(map(holds, found)) if isinstance(found, list) else holds(found)

    return test


def _scalar(name: str, operation: str, value: object) -> object:
    if not (value is None or isinstance(value, str | int | float)) or value != value:
        raise InvalidFilterError(
            f"{name}: {operation} takes a text, a number, true, false or null, not {_shown(value)}"
        )
    return value


def _key(value: object) -> tuple[str, object]:
    """Equal for equal values of JSON: 1 and 1.0 are, 1 and true are not."""
    kind = "truth" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "other"
    return kind, value


def _getter(name: str) -> Callable[[Document], Any]:
    match name:
        case "_id":
            return lambda document: document.id
        case "title":
            return lambda document: document.title
        case "text":
            return lambda document: document.text
    path = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", name)]

    def get(document: Document) -> Any:
        found: Any = document.metadata
        for key in path:
            if not isinstance(found, dict) or key not in found:
                return _MISSING
            found = found[key]
        return found

    return get


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
