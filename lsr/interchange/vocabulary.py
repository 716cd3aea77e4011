"""Words to term ids and back, growing or fixed.

Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import TermDictionary
from lsr.encoders.terms import InMemoryTerms
from lsr.errors import InvalidVectorsError
from lsr.sources.values import flaw_of_text

#: A vocabulary: words to ids and back. An index's own will do.
Terms = TermDictionary


class Vocabulary(InMemoryTerms):
    """`Terms` in memory; ids count from 0 in the order in which words come.

    Parameters
    ----------
    words : iterable of str
        The first words: all different, not empty, none that UTF-8 cannot hold.

    Raises
    ------
    InvalidVectorsError
        Where a word is flawed or comes twice.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        places: dict[str, int] = {}
        for place, word in enumerate(words):
            if flaw := flaw_of_word(word):
                raise InvalidVectorsError(f"word {place} of the vocabulary {flaw}")
            if word in places:
                raise InvalidVectorsError(
                    f"the word {word!r} is twice in the vocabulary: it is term {places[word]} and {place}"
                )
            places[word] = place
        super().__init__(places)

    def words(self, ids: Sequence[int]) -> list[str]:
        """The word of each id; `InvalidVectorsError` where an id was never given."""
        unknown = [number for number in ids if not 0 <= number < len(self)]
        if unknown:
            raise InvalidVectorsError(f"term {unknown[0]} has no word: the vocabulary has {len(self)}")
        return super().words(ids)


def flaw_of_word(word: object) -> str | None:
    """What makes a word unfit for a vocabulary, as a phrase; None for a sound one."""
    if not isinstance(word, str):
        return f"is {type(word).__name__}, not a string"
    if not word:
        return "is empty"
    return flaw_of_text(word)


def flaw_of_line(text: str) -> str | None:
    """What makes a sound string unfit to be a line of a text file, as a phrase."""
    if "\n" in text or "\r" in text:
        return "holds a line break"
    return "begins with a byte order mark" if text.startswith("\ufeff") else None


def resolve(terms: Terms, words: Sequence[str], *, add: bool) -> NDArray[np.int64]:
    """int64 ndarray of shape (len(words),): the id of each word; -1 where it is unknown, and with `add` where it is
    flawed and so cannot be added.
    """
    distinct = list(dict.fromkeys(words))
    ids: dict[str, int | None] = dict(zip(distinct, terms.lookup(distinct), strict=True))
    if add and (new := [word for word, number in ids.items() if number is None and not flaw_of_word(word)]):
        ids.update(zip(new, terms.intern(new), strict=True))
    table = {word: -1 if number is None else number for word, number in ids.items()}
    return np.fromiter((table[word] for word in words), np.int64, len(words))


def as_terms(words: Sequence[str] | Terms) -> Terms:
    """`Terms` as they are, a sequence of words as a `Vocabulary`; `InvalidVectorsError` where a word is flawed."""
    if isinstance(words, str):
        raise InvalidVectorsError(f"words are a list of strings or a vocabulary, not the string {words[:40]!r}")
    return Vocabulary(words) if isinstance(words, Sequence) else words


class WordTable:
    """How term ids are written, for a writer: from a sequence of words or from `Terms`.

    Raises
    ------
    InvalidVectorsError
        Where a sequence has a flawed word or one word twice, or a term has no word.
    """

    def __init__(self, words: Sequence[str] | Terms) -> None:
        self._terms = as_terms(words)
        self._known: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._terms)

    def of(self, ids: NDArray[np.uint32]) -> list[str]:
        """The word of each id."""
        numbers: list[int] = ids.tolist()
        missing = [number for number in dict.fromkeys(numbers) if number not in self._known]
        if missing:
            if max(missing) >= len(self._terms):
                raise InvalidVectorsError(
                    f"term {max(missing)} has no word: there are {len(self._terms)} words",
                    remedy="give the words of the vocabulary that the vectors were made with",
                )
            for number, word in zip(missing, self._terms.words(missing), strict=True):
                if flaw := flaw_of_word(word):
                    raise InvalidVectorsError(f"the word of term {number} {flaw}")
                self._known[number] = word
        return [self._known[number] for number in numbers]
