"""Settings of encoders as a command line writes them. Light to import."""

from __future__ import annotations

from collections.abc import Iterable

from lsr.errors import InvalidSettingError

#: A value that an encoder's setting can have.
Setting = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


def parse_setting(text: str) -> tuple[str, Setting]:
    """`k1=0.9` to `("k1", 0.9)`: true, false, none, whole and decimal numbers are read as such, the rest is text."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise InvalidSettingError(f"the setting {text!r} is not NAME=VALUE", remedy="Write k1=0.9, for example")
    if value.lower() in _WORDS:
        return name, _WORDS[value.lower()]
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def parse_settings(texts: Iterable[str]) -> dict[str, Setting]:
    """Several of them; the last of a name counts."""
    return dict(map(parse_setting, texts))
