"""Which analyzers there are. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from lsr.errors import InvalidSettingError
from lsr.text.analyzer import Analyzer


def _english() -> Analyzer:
    from lsr.text.english import EnglishAnalyzer

    return EnglishAnalyzer()


def _plain() -> Analyzer:
    from lsr.text.plain import PlainAnalyzer

    return PlainAnalyzer()


#: name -> maker. The makers import what they need, so that naming analyzers costs nothing.
ANALYZERS: Mapping[str, Callable[[], Analyzer]] = {"english": _english, "plain": _plain}


@cache
def _made(name: str) -> Analyzer:
    return ANALYZERS[name]()


def get_analyzer(name: str) -> Analyzer:
    """The analyzer of that name, one and the same object at every call.

    Raises
    ------
    InvalidSettingError
        Where there is none.
    """
    if name not in ANALYZERS:
        raise InvalidSettingError(f"no analyzer is called {name!r}", remedy=f"Choose one of: {', '.join(ANALYZERS)}")
    return _made(name)
