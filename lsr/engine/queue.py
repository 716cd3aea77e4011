"""Group commit: of the threads that want to write, one does it for all that wait, in one transaction.

Knows requests and who leads. Knows nothing of what a request does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from lsr.engine.batch import Batch

Result = TypeVar("Result")


class Request:
    """One caller's change: a function of the batch, and in the end its result or its error."""

    def __init__(self, work: Callable[[Batch], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False


class CommitQueue:
    """Requests that wait for a leader.

    Parameters
    ----------
    commit : callable
        Commits the requests that it is given: for each of them, `done` is set, and `error` where it failed, or the
        call raises and none of those that are not done has had any effect.
    largest : int
        So many requests go into one commit at most.
    """

    def __init__(self, commit: Callable[[list[Request]], None], largest: int = 256) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[Request] = []
        self._guard = threading.Lock()
        #: Held by whoever changes the index.
        self.turn = threading.Lock()

    def run(self, work: Callable[[Batch], Result]) -> Result:
        """The result of `work`, committed; alone or together with the requests of other threads."""
        request = Request(work)
        with self._guard:
            self._waiting.append(request)
        try:
            with self.turn:
                while not request.done:
                    self._lead(request)
        except BaseException:
            with self._guard:  # interrupted while it waited: nobody shall do it later
                if request in self._waiting:
                    self._waiting.remove(request)
            raise
        if request.error is not None:
            raise request.error
        result: Result = request.result
        return result

    def _lead(self, own: Request) -> None:
        with self._guard:
            group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
        try:
            self._commit(group)
        except BaseException as error:
            if not isinstance(error, Exception):  # this thread is to stop; the others' requests are not to blame
                with self._guard:
                    self._waiting[:0] = [each for each in group if not (each.done or each is own)]
                raise
            for request in group:
                if not request.done:
                    request.error, request.done = error, True
