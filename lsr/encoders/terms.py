"""`InMemoryTerms`: a vocabulary that grows, kept in memory. For tests and for those who encode without an index.

An index has its own `TermDictionary`, kept with its documents. Knows nothing of analyzers or weights.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from lsr.errors import EncoderError
from lsr.vectors import MAX_DIM


class InMemoryTerms:
    """Words to ids and back; ids count from 0 in the order in which words come. Safe to share between threads.

    Parameters
    ----------
    words : iterable of str, optional
        The first words, all different.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._words: list[str] = []
        self._ids: dict[str, int] = {}
        self._lock = threading.Lock()
        self.intern(list(words))

    def intern(self, words: Sequence[str]) -> list[int]:
        """The id of each word; unknown words get the next free ids, in order."""
        with self._lock:
            for word in words:
                if word not in self._ids:
                    if len(self._words) >= MAX_DIM:
                        raise EncoderError("the vocabulary is full: term ids are 32 bits")
                    self._ids[word] = len(self._words)
                    self._words.append(word)
        return [self._ids[word] for word in words]

    def lookup(self, words: Sequence[str]) -> list[int | None]:
        """The id of each word, None where it is unknown."""
        return [self._ids.get(word) for word in words]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The word of each id.

        Raises
        ------
        EncoderError
            Where an id was never given.
        """
        unknown = [number for number in ids if not 0 <= number < len(self._words)]
        if unknown:
            raise EncoderError(f"term {unknown[0]} is unknown: the vocabulary has {len(self._words)} words")
        return [self._words[number] for number in ids]

    def __len__(self) -> int:
        return len(self._words)
