"""The vocabulary that an index keeps for an encoder without one of its own: words to ids, growing, never forgetting."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lsr.store.store import Store


class StoredTerms:
    """Words in the store's `terms` table, with a cache of those met before; a `TermDictionary`.

    Thread-safe. `intern` is for the writer, inside a transaction; after one that was undone, call `forget`.

    Parameters
    ----------
    reader : Store
        Looks words up as they are committed; nobody else uses it at the same time.
    writer : Store, optional
        Takes new words. The reader by default.
    """

    def __init__(self, reader: Store, writer: Store | None = None) -> None:
        self._reader = reader
        self._writer = writer or reader
        #: Committed words, and those of the transaction that is open.
        self._ids: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._lock = threading.Lock()

    def intern(self, words: Sequence[str]) -> list[int]:
        with self._lock:
            unknown = [word for word in dict.fromkeys(words) if word not in self._ids and word not in self._new]
            if unknown:
                known = self._writer.term_ids(unknown)
                self._new.update(known)
                if missing := [word for word in unknown if word not in known]:
                    self._new.update(self._writer.add_terms(missing))
            return [self._ids[word] if word in self._ids else self._new[word] for word in words]

    def lookup(self, words: Sequence[str]) -> list[int | None]:
        with self._lock:
            missing = [word for word in dict.fromkeys(words) if word not in self._ids]
            if missing:
                self._ids.update(self._reader.term_ids(missing))
            return [self._ids.get(word) for word in words]

    def words(self, ids: Sequence[int]) -> list[str]:
        with self._lock:
            found = self._reader.term_words(ids)
        return [found[id] for id in ids]

    def __len__(self) -> int:
        with self._lock:
            return max(self._reader.count_terms(), max(self._new.values(), default=-1) + 1)

    def keep(self) -> None:
        """The transaction has been committed: its words are known for good."""
        with self._lock:
            self._ids.update(self._new)
            self._new.clear()

    def forget(self) -> None:
        """Drop what a transaction added: it was undone."""
        with self._lock:
            self._new.clear()
