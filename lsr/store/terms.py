"""The vocabulary that an index keeps for an encoder without one of its own: words to ids, growing, never forgetting."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lsr.store.store import Store


class StoredTerms:
    """Words in the store's `terms` table, with a cache of those met before; a `TermDictionary`.

    Thread-safe. `intern` is for the writer, inside a transaction; after one that was undone, call `forget`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: dict[str, int] = {}
        self._lock = threading.Lock()

    def intern(self, words: Sequence[str]) -> list[int]:
        with self._lock:
            new = self._learn(words)
            if new:
                self._ids.update(self._store.add_terms(new))
            return [self._ids[word] for word in words]

    def lookup(self, words: Sequence[str]) -> list[int | None]:
        with self._lock:
            self._learn(words)
            return [self._ids.get(word) for word in words]

    def words(self, ids: Sequence[int]) -> list[str]:
        with self._lock:
            found = self._store.term_words(ids)
        return [found[id] for id in ids]

    def __len__(self) -> int:
        with self._lock:
            return self._store.count_terms()

    def forget(self) -> None:
        """Drop the cache: ids that it holds may not have been committed."""
        with self._lock:
            self._ids.clear()

    def _learn(self, words: Sequence[str]) -> list[str]:
        """Look up what is not in the cache; returns the words that the store does not know either, in order."""
        missing = [word for word in dict.fromkeys(words) if word not in self._ids]
        if missing:
            self._ids.update(self._store.term_ids(missing))
        return [word for word in missing if word not in self._ids]
