"""The `--filter` option, as several verbs have it."""

from __future__ import annotations

import json
from typing import Any

from lsr.errors import InvalidFilterError

HELP = 'A filter over metadata as JSON, for example \'{"year": {"$gte": 2000}}\'.'


def parse_filter(text: str | None) -> dict[str, Any] | None:
    """The object of a JSON text; None for none."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidFilterError(f"the filter is not JSON: {error}", remedy=f"{HELP[:-1]}") from None
    if not isinstance(value, dict):
        raise InvalidFilterError("the filter is not a JSON object", remedy=f"{HELP[:-1]}")
    return value
