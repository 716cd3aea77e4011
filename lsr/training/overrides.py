"""Values that go before those of a recipe: `lsr train RECIPE.toml --set optimizer.steps=100`.

Knows dotted keys and TOML, read and written. Knows nothing of what a recipe may hold: what is overridden is checked
with the rest of it.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lsr.errors import RecipeError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def parse_overrides(settings: Iterable[str]) -> dict[str, Any]:
    """Values by dotted key, of `KEY=VALUE` each; VALUE is TOML. Of two with one key the later holds.

    Raises
    ------
    RecipeError
        No `=`, an empty key, or a value that is not TOML; names it.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            raise RecipeError(f"{setting!r} sets nothing", remedy="Write KEY=VALUE, as optimizer.steps=100")
        try:
            table = tomllib.loads(f"value = {text.strip()}")
        except tomllib.TOMLDecodeError as error:
            remedy = f"Strings stand in quotes: {key}={json.dumps(text.strip())}"
            raise RecipeError(f"{setting!r}: the value is not TOML: {error}", remedy=remedy) from None
        if len(table) > 1:
            raise RecipeError(f"{setting!r} is more than one value", remedy="Give each a --set of its own")
        found.pop(key, None)  # the order is that of the last
        found[key] = table["value"]
    return found


def overridden(table: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's table with other values.

    A part of a key is a table's key or, in a list, a number from 0; the number after the last adds an entry. Tables
    that are not there are made.

    Raises
    ------
    RecipeError
        A key goes through something that is no table, or names no entry of a list.
    """
    found = copy.deepcopy(dict(table))
    for key, value in overrides.items():
        *parents, last = key.split(".")
        place: Any = found
        for depth, part in enumerate(parents):
            spot = _spot(place, part, key, depth)
            if isinstance(place, list) and spot == len(place):
                place.append({})
            elif isinstance(place, dict) and spot not in place:
                place[spot] = {}
            place = place[spot]
        spot = _spot(place, last, key, len(parents))
        if isinstance(place, list) and spot == len(place):
            place.append(copy.deepcopy(value))
        else:
            place[spot] = copy.deepcopy(value)
    return found


def _spot(place: Any, part: str, key: str, depth: int) -> Any:
    """Where in a table or list a part of a key leads."""
    where = ".".join(key.split(".")[:depth])
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise RecipeError(f"{key} cannot be set: {where} is {place!r}, no table", remedy="Check the key")
    if not (part.isascii() and part.isdigit()) or int(part) > len(place):
        raise RecipeError(
            f"{key} cannot be set: {where} is a list of {len(place)}",
            remedy=f"Name an entry by its number from 0; {where}.{len(place)} adds one",
        )
    return int(part)


def spelled(overrides: Mapping[str, Any]) -> list[str]:
    """`KEY=VALUE` of each, VALUE in TOML on one line: what `parse_overrides` takes."""
    return [f"{key}={_inline(value)}" for key, value in overrides.items()]


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file.

    Raises
    ------
    RecipeError
        No such file, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}", remedy="Check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}", remedy="Correct the file") from None


def recipe_text(path: Path, overrides: Mapping[str, Any] | None = None) -> str:
    """The recipe as it is run: the file's own text, or TOML of its values with others in their places."""
    if not overrides:
        return path.read_text()
    settings = "".join(f"#   {setting}\n" for setting in spelled(overrides))
    return f"# {path.name} with\n{settings}\n" + to_toml(overridden(read_toml(path), overrides))


def to_toml(table: Mapping[str, Any]) -> str:
    """TOML that reads back as this table of strings, numbers, booleans, lists and tables."""
    lines: list[str] = []
    _write(lines, table, "")
    return "\n".join(lines).strip() + "\n"


def _write(lines: list[str], table: Mapping[str, Any], name: str) -> None:
    """Plain values first, as TOML has it: what follows a table's head belongs to the table."""
    lines += [f"{_key(key)} = {_inline(value)}" for key, value in table.items() if not _has_head(value)]
    for key, value in table.items():
        if not _has_head(value):
            continue
        inner = f"{name}.{_key(key)}" if name else _key(key)
        if isinstance(value, Mapping):
            lines += ["", f"[{inner}]"]
            _write(lines, value, inner)
            continue
        for entry in value:
            lines += ["", f"[[{inner}]]"]
            _write(lines, entry, inner)


def _has_head(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)
    )


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_inline(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)  # numbers, dates


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
