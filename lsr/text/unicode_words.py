"""Where raw words begin and end, in any script.

A word is a run of letters, digits and the marks that combine with them; an apostrophe between two such runs belongs to
the word ("don't", "l’été"); a Chinese ideograph or a Hiragana sign is a word by itself, as in Unicode's word
segmentation (UAX #29). Unlike there an underscore or a point separates, so that `read_csv` and `os.path` are found by
their parts. Knows nothing of languages, case or stems.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

#: Where combining marks lie; only these ranges are looked through for them, as all of Unicode would take half a second.
_BLOCKS_WITH_MARKS = (
    (0x0300, 0x036F),  # accents
    (0x0483, 0x0489),  # Cyrillic
    (0x0591, 0x1CFF),  # Hebrew, Arabic, the scripts of India and South-East Asia, Mongolian
    (0x1DC0, 0x1DFF),  # more accents
    (0x20D0, 0x20FF),  # marks for symbols
    (0x2CEF, 0x2DFF),  # Coptic, Tifinagh, Cyrillic
    (0x302A, 0x309A),  # East Asian tone and voicing marks
    (0xA66F, 0xABFF),  # Cyrillic, more scripts of India and South-East Asia
    (0xFB1E, 0xFB1E),  # Hebrew
    (0xFE00, 0xFE2F),  # variation selectors, half marks
)
#: Han and Hiragana, the scripts without blanks whose single signs carry meaning.
_SIGNS = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"

_ASCII_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")


def find_words(text: str) -> list[str]:
    """The raw words of a text, in order, as they are written in it."""
    found: list[str] = _pattern(text).findall(text)
    return found


def match_words(text: str) -> Iterator[re.Match[str]]:
    """As `find_words`, as matches, which know their places."""
    return _pattern(text).finditer(text)


def _pattern(text: str) -> re.Pattern[str]:
    # Most texts are pure ASCII, where a bitmap does what the long character classes do, twice as fast.
    return _ASCII_WORD if text.isascii() else _any_word()


@cache
def _any_word() -> re.Pattern[str]:
    letter = rf"[^\W_{_SIGNS}]"
    marks = _mark_ranges()
    # Letters, marks and apostrophes are disjoint, so there is one way only to match: the time is linear in the text.
    return re.compile(rf"{letter}+(?:[{marks}]+{letter}*|['’]{letter}+)*|[{_SIGNS}][{marks}]*")


def _mark_ranges() -> str:
    """The combining marks (categories Mn and Mc) as the inside of a character class."""
    ranges: list[str] = []
    for first, last in _BLOCKS_WITH_MARKS:
        start: int | None = None
        for code in range(first, last + 2):
            is_mark = code <= last and unicodedata.category(chr(code)) in ("Mn", "Mc")
            if is_mark and start is None:
                start = code
            elif not is_mark and start is not None:
                ranges.append(f"{chr(start)}-{chr(code - 1)}")
                start = None
    return "".join(ranges)
