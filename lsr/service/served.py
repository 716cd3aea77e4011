"""An index as the service sees it: a name, and a reader that follows the writer's commits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsr.errors import EncoderMismatchError, LsrError

if TYPE_CHECKING:
    from lsr.engine.index import Index

log = logging.getLogger("lsr.service")

#: How long an index that an alias has left stays open for the searches that had begun in it.
_LINGER_SECONDS = 60.0


class ServedIndex:
    """One index under one name.

    Parameters
    ----------
    name : str
        How addresses call it.
    index : Index
        Open; whoever opened it closes it.
    examples : sequence of str
        Queries that the page offers.
    refresh_seconds : float
        How old the view of the newest generation may be, in seconds.
    """

    def __init__(self, name: str, index: Index, examples: Sequence[str] = (), refresh_seconds: float = 0.5) -> None:
        self.name = name
        self.examples = list(examples)
        self.trouble: LsrError | None = None
        self._index = index
        #: Indexes that an alias led to before: closed when searches that hold them have long ended.
        self._left: list[tuple[float, Index]] = []
        self._owned = False
        self._refresh_seconds = refresh_seconds
        self._refreshed = float("-inf")
        self._lock = threading.Lock()

    def current(self) -> Index:
        """The index at the newest generation, or at one that was the newest `refresh_seconds` ago.

        One thread at a time looks; the others go on with what there is. Where looking fails, the failure is logged
        once and kept in `trouble` until it is over, and searches answer from the generation that is open.
        """
        if time.monotonic() - self._refreshed < self._refresh_seconds or not self._lock.acquire(blocking=False):
            return self._index
        try:
            if self._index.moved:
                self._follow()
            elif self._index.refresh():
                log.info("index %s: generation %d", self.name, self._index.generation)
            self.trouble = None
        except LsrError as error:
            if self.trouble is None:
                log.exception("index %s: stays at generation %d", self.name, self._index.generation)
            self.trouble = error
        finally:
            self._refreshed = time.monotonic()
            self._lock.release()
        return self._index

    def _follow(self) -> None:
        """Open what the alias leads to by now, and leave what it led to."""
        from lsr.engine.index import Index

        old = self._index
        try:
            fresh = Index.open(old.path, encoder=None if old.encoder.needs_terms else old.encoder)
        except EncoderMismatchError:
            fresh = Index.open(old.path)
        generation = fresh.generation  # opens it, so that no search has to wait
        self._index = fresh
        log.info("index %s: its alias leads elsewhere, to generation %d there", self.name, generation)
        now = time.monotonic()
        if self._owned:  # the first is the caller's to close
            self._left.append((now + _LINGER_SECONDS, old))
        self._owned = True
        for entry in [entry for entry in self._left if entry[0] < now]:
            entry[1].close()
            self._left.remove(entry)

    def close(self) -> None:
        """Close what was opened here; the index that was given stays the caller's."""
        for _, left in self._left:
            left.close()
        self._left.clear()
        if self._owned:
            self._index.close()
