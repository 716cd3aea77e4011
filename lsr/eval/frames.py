"""Rows as a pandas DataFrame, for notebooks. pandas is loaded only when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsr.errors import MissingExtraError


def frame(rows: Sequence[Mapping[str, Any]], *, index: Sequence[str] | None = None, index_name: str = "") -> Any:
    """A DataFrame of the rows, one column a key.

    Raises
    ------
    MissingExtraError
        pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingExtraError("a table for notebooks", "eval") from None
    found = pandas.DataFrame(list(rows))
    if index is not None:
        found.index = pandas.Index(list(index), name=index_name)
    return found
