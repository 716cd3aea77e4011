"""Which values can be stored: text that UTF-8 can hold, and values that JSON can hold.

Knows nothing of documents or fields.
"""

from __future__ import annotations

import math

#: Deeper values are refused, well before Python's own recursion limit.
MAX_DEPTH = 100

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def flaw_of_text(text: str) -> str | None:
    """What makes a string unfit to be stored, as a phrase ("holds a NUL character"); None for a sound one."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"holds the lone surrogate \\u{ord(text[error.start]):04x}, which UTF-8 cannot hold"
    return None


def flaw_of_value(value: object, depth: int = 0) -> str | None:
    """What makes a value unfit to be stored as JSON, as a phrase; None for a sound one."""
    if value is None or isinstance(value, int):
        return None
    if isinstance(value, str):
        return flaw_of_text(value)
    if isinstance(value, float):
        return None if math.isfinite(value) else f"holds {value}, which JSON cannot hold"
    if depth >= MAX_DEPTH:
        return f"is nested more than {MAX_DEPTH} levels deep"
    if isinstance(value, list):
        return next((flaw for item in value if (flaw := flaw_of_value(item, depth + 1))), None)
    if isinstance(value, dict):
        for name, item in value.items():
            flaw = flaw_of_text(name) if isinstance(name, str) else f"has the key {name!r}, which is not a string"
            if flaw := flaw or flaw_of_value(item, depth + 1):
                return flaw
        return None
    return f"holds a {type(value).__name__}, which JSON cannot hold"


def kind_of(value: object) -> str:
    """What a JSON value is, in words for a person who wrote JSON."""
    return "null" if value is None else _KINDS.get(type(value), f"of type {type(value).__name__}")
