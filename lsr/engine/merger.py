"""Merging in the background: a thread that joins segments beside the writer and moves the store's log into its file.

Knows when. The policy is in `merging`, the work in `Writer`. Readers never wait for a merge: they hold the files that
they have. Writers wait for the exchange at its end, one short transaction, and for the thread itself only where they
have run far ahead of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lsr.engine.merging import Plan, plan_merge, plan_tail
from lsr.engine.writer import Writer
from lsr.errors import LsrError
from lsr.store.records import SegmentRow, State
from lsr.store.store import Store

log = logging.getLogger("lsr.engine")

#: Segments beyond which a writer waits for the merging to follow: the bound of what a search has to visit.
MOST_SEGMENTS = 48
#: Bytes of the write-ahead log from which it is moved into the store's file.
LOG_BYTES = 16 << 20
#: After so many seconds without a commit the last small segments are joined too, for at most so large a share of time.
QUIET, SHARE = 0.5, 0.1


class Merger:
    """Merges the segments of `writer`'s index whenever a commit makes it due. Its thread starts with the first."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        self._folder = folder
        self._writer = writer
        self._thread: threading.Thread | None = None
        self._condition = threading.Condition()
        self._due = False
        self._busy = False
        self._ending = False
        self._abandon = False
        self._hurry = 0
        self._tail_at = 0.0
        #: Exchanges so far, and the longest of them: what a writer may have waited for, in seconds.
        self.merges = 0
        self.longest_exchange = 0.0

    def wake(self) -> None:
        """There is a new generation; returns at once."""
        with self._condition:
            self._due = True
            if self._thread is None and not self._ending:
                self._thread = threading.Thread(target=self._run, name="lsr-merger", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def settle(self, segments: Callable[[], int] | None = None) -> None:
        """Wait until nothing is due, small segments included; with `segments`, only until there are `MOST_SEGMENTS`."""
        with self._condition:
            hurry = segments is None
            self._hurry += hurry
            self._condition.notify_all()
            try:
                while self._thread is not None and self._thread.is_alive() and (self._due or self._busy):
                    if segments is not None and segments() <= MOST_SEGMENTS:
                        return
                    self._condition.wait(0.05 if segments is not None else None)
            finally:
                self._hurry -= hurry

    def close(self, *, finish: bool = True) -> None:
        """End the thread: after what is due where `finish`, else as soon as it can be."""
        with self._condition:
            self._ending = True
            self._abandon = not finish
            self._condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._due and not self._ending:
                    self._condition.wait()
                if self._abandon or not self._due:
                    return
                self._due, self._busy = False, True
            try:
                self._work()
            except LsrError as error:  # nothing is lost: the next commit tries again, and its errors are seen
                log.warning("merging in %s: %s", self._folder, error)
            except Exception:
                log.exception("merging in %s", self._folder)
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()

    def _work(self) -> None:
        store = Store(self._folder, write=False)
        try:
            while not (self._abandon or self._writer.stopped):
                if store.log_bytes() > LOG_BYTES:
                    self._writer.checkpoint()
                if not self._merge(store, plan_merge):
                    break
            if not self._writer.stopped and self._is_quiet():
                began = time.monotonic()
                if self._merge(store, plan_tail):
                    self._tail_at = time.monotonic() + (time.monotonic() - began) / SHARE
        finally:
            store.close()

    def _merge(self, store: Store, choose: Callable[[Sequence[SegmentRow], State], Plan | None]) -> bool:
        """Do what `choose` chooses; False where that is nothing."""
        store.begin_snapshot()
        try:
            plan = choose(store.segments(), store.state())
            if plan is None:
                return False
            merged = self._writer.build_aside(plan, store, lambda: not self._abandon)
        finally:
            store.end_snapshot()
        self._exchange(plan, merged)
        with self._condition:
            self._condition.notify_all()
        return True

    def _is_quiet(self) -> bool:
        """Wait for a while without commits, and until the small segments may be joined again; False where one comes."""
        with self._condition:
            until = max(time.monotonic() + QUIET, self._tail_at)
            while not (self._due or self._ending):
                if self._hurry or (left := until - time.monotonic()) <= 0:
                    return True
                self._condition.wait(left)
            return False

    def _exchange(self, plan: Plan, merged: SegmentRow | None) -> None:
        started = time.perf_counter()
        done = False
        try:
            done = not self._abandon and self._writer.exchange(plan, merged)
        finally:
            if not done and merged is not None:
                self._writer.put_aside(merged.name)
        self.merges += done
        self.longest_exchange = max(self.longest_exchange, time.perf_counter() - started)
