"""An index as the service sees it: a name, and a reader that follows the writer's commits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsr.errors import LsrError

if TYPE_CHECKING:
    from lsr.engine.index import Index

log = logging.getLogger("lsr.service")


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
            if self._index.refresh():
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
