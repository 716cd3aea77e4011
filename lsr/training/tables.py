"""TOML tables to frozen dataclasses, strictly: an unknown key, a missing one or a wrong type is refused by name.

Knows types. Knows nothing of what a recipe means.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from lsr.errors import InvalidSettingError, RecipeError

_T = TypeVar("_T")


def read_table(kind: type[_T], table: Mapping[str, Any], where: str, folder: Path) -> _T:
    """The dataclass `kind` from a table.

    Parameters
    ----------
    kind : a dataclass
        Its fields are of type str, int, float, bool, Path, tuple[...], dict[str, ...], Optional or a dataclass again.
    table : mapping
        What the file says.
    where : str
        File and table, for messages.
    folder : Path
        What relative paths are relative to; `~` and `${VARIABLE}` are replaced.

    Raises
    ------
    RecipeError
        Naming `where` and the key.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            remedy = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(fields))}"
            raise RecipeError(f"{where} has an unknown key {key!r}", remedy=remedy)
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], f"{where}, {name}", folder)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise RecipeError(f"{where} lacks the key {name!r}", remedy=f"Add {name} = …")
    try:
        return kind(**values)
    except InvalidSettingError as error:
        raise RecipeError(f"{where}: {error.message}", remedy=error.remedy) from None


def resolve(text: str, folder: Path) -> Path:
    """A path of a recipe, absolute. `${NAME}` is an environment variable and `${NAME:-other}` has a default."""
    import os
    import re

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(3)
        found = os.environ.get(name) or default
        if found is None:
            raise RecipeError(f"the path {text!r} needs the environment variable {name}", remedy=f"Set {name}")
        return found

    path = Path(re.sub(r"\$\{(\w+)(:-([^}]*))?\}", variable, text))
    try:
        path = path.expanduser()
    except RuntimeError:
        raise RecipeError(f"the path {text!r} names a user who has no home here", remedy="Write it out") from None
    return path if path.is_absolute() else (folder / path)


def _value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not type(None))
        return _value(inner, value, where, folder)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        return tuple(_value(arguments[0], item, f"{where}[{n}]", folder) for n, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, value, "a table")
        return {key: _value(arguments[1], item, f"{where}.{key}", folder) for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise _wrong(where, value, "a table")
        return read_table(typing.cast(type, hint), value, where, folder)
    if hint is Any:
        return value
    if hint is Path:
        if not isinstance(value, str) or not value:
            raise _wrong(where, value, "a path")
        return resolve(value, folder)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(
            where, value, {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}[hint]
        )
    if isinstance(value, float) and not math.isfinite(value):  # TOML has inf and nan
        raise _wrong(where, value, "a finite number")
    return value


def _wrong(where: str, value: Any, wanted: str) -> RecipeError:
    return RecipeError(f"{where} is {value!r}, it must be {wanted}", remedy="Correct the recipe")


def check_values(table: str, **rules: tuple[Any, bool, str]) -> None:
    """Raise InvalidSettingError naming the first (value, whether it is legal, what is wanted) that is not legal."""
    for name, (value, holds, wanted) in rules.items():
        if not holds:
            raise InvalidSettingError(f"{table}.{name} is {value!r}, it must be {wanted}")
