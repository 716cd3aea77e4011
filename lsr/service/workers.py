"""Where the work of requests is done: a bounded pool of threads, so that the event loop only ever moves bytes.

The engine's kernels release the interpreter's lock, so threads search in parallel.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lsr.service.errors import Problem

Result = TypeVar("Result")


class Workers:
    """A pool of `threads` that takes `waiting` more jobs than it can run and refuses what comes beyond.

    Parameters
    ----------
    threads : int >= 1, optional
        As many as the machine has cores, two at least.
    waiting : int >= 0
        Jobs that may queue; at the bound a request is answered 503 with Retry-After, at once.
    """

    def __init__(self, threads: int | None = None, waiting: int = 1000) -> None:
        self.threads = threads or max(2, os.cpu_count() or 2)
        self.capacity = self.threads + waiting
        self._jobs = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="lsr-service")

    async def run(self, job: Callable[[], Result]) -> Result:
        """The job's result, computed in the pool. Raises `Problem` 503 where too many jobs wait already."""
        with self._lock:
            if self._jobs >= self.capacity:
                raise Problem(503, "overloaded", "too many requests are waiting", headers={"Retry-After": "1"})
            self._jobs += 1
        future = self._pool.submit(job)
        # A client that goes away ends the waiting, not the job: it counts until it has really ended.
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def _ended(self, _: Future[Result]) -> None:
        with self._lock:
            self._jobs -= 1

    def close(self) -> None:
        """End the threads after the jobs that run; those that wait are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
