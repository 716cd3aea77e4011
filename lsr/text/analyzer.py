"""What an analyzer is: raw words of a text, each mapped to the word that is indexed or to nothing.

Knows where words stand and how to be fast (each raw word is normalised once, then remembered). Knows no language.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import NamedTuple

from lsr.text.unicode_words import find_words, match_words

#: Raw words that an analyzer remembers. English text of any size has a few hundred thousand; about 100 bytes each.
REMEMBERED_WORDS = 200_000
#: Longer raw words (encoded data, mostly) do not come again; they are normalised each time.
REMEMBERED_LENGTH = 64


class Token(NamedTuple):
    """An indexed word and the characters `start` (inclusive) to `end` (exclusive) of the text that it stands for."""

    word: str
    start: int
    end: int


class Analyzer(ABC):
    """Text to words.

    A subclass says what becomes of one raw word (`normalise`); the borders of raw words are those of
    `lsr.text.unicode_words` for every analyzer. Safe to share between threads.

    Attributes
    ----------
    name : str
        How the analyzer is asked for again.
    version : str
        Changes whenever the same text may give other words; part of a BM25 index's fingerprint.
    """

    name: str
    version: str

    def __init__(self) -> None:
        self._normalised = _Memory(self)

    @abstractmethod
    def normalise(self, raw: str) -> str | None:
        """The word to index for a raw word, None where it is to be left out. Called under a lock."""

    def words(self, text: str) -> list[str]:
        """The words of a text in order, with repetitions; equal to the words of `tokens(text)`, only faster."""
        normalised = self._normalised
        return [word for raw in find_words(text) if (word := normalised[raw]) is not None]

    def tokens(self, text: str) -> list[Token]:
        """The words of a text in order, each with its place; `text[start:end]` is the raw word."""
        normalised = self._normalised
        return [
            Token(word, match.start(), match.end())
            for match in match_words(text)
            if (word := normalised[match.group()]) is not None
        ]


class _Memory(dict[str, str | None]):
    """raw word -> `analyzer.normalise(raw)`, forgotten as a whole when full, so that memory stays bounded."""

    def __init__(self, analyzer: Analyzer) -> None:
        super().__init__()
        self._analyzer = analyzer
        # A stemmer has inner state and must not be called from two threads at once.
        self._lock = threading.Lock()

    def __missing__(self, raw: str) -> str | None:
        with self._lock:
            word = self._analyzer.normalise(raw)
            if len(raw) <= REMEMBERED_LENGTH:
                if len(self) >= REMEMBERED_WORDS:
                    self.clear()
                self[raw] = word
        return word
