"""The generation that an index shows: opened once, shared by all searches, closed when its last one has ended.

Knows when to open a newer one, and that nothing is answered from bytes that were not compared. Knows no queries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsr.engine.segments import SegmentPool
from lsr.engine.snapshot import Snapshot
from lsr.errors import CorruptionError, LsrError, OutdatedError, ReadOnlyIndexError
from lsr.store.store import Store

#: Bytes that are compared at once, when they are opened; more is compared by a thread in the background.
SMALL = 32 << 20


class _Held:
    """A snapshot that is closed when its last holder lets go; the index itself is the first holder."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._holders = 1
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self.snapshot.close()


class Generations:
    """The current snapshot of the index in `folder`. Thread-safe.

    Parameters
    ----------
    folder : Path
    store : Store
        A reader's connection, which nobody uses at the same time but this object.
    pool : SegmentPool
    wait : bool
        Whether a search waits until the segments of its snapshot have been compared with their checksums. Where not,
        that goes on in the background, and searches end when it finds damage.
    mend : callable, optional
        Told of damage or of outdated segments; true where it has committed a generation without.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        pool: SegmentPool,
        *,
        wait: bool,
        mend: Callable[[LsrError], bool] | None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._pool = pool
        self._wait = wait
        self._mend = mend
        self._current: _Held | None = None
        self._least = 0
        self._damage: LsrError | None = None
        self._closed = False
        self._guard = threading.Lock()
        #: Held by whoever opens a snapshot.
        self._opening = threading.Lock()
        self._thread: threading.Thread | None = None
        self._checked: Store | None = None

    def begin(self) -> None:
        """Compare what is there: at once where it is small, else in a thread.

        Raises `CorruptionError` where the store is small and damaged.
        """
        store_bytes = self._store.path.stat().st_size + self._store.log_bytes()
        if store_bytes <= SMALL:
            self._store.require_integrity()
        try:
            segment_bytes = sum(row.file.bytes for row in self._store.segments())
        except LsrError:
            segment_bytes = 0  # the first search meets it and tells
        if max(store_bytes, segment_bytes) > SMALL:
            self._thread = threading.Thread(
                target=self._compare, args=(store_bytes > SMALL,), name="lsr-verifier", daemon=True
            )
            self._thread.start()

    def _compare(self, store_too: bool) -> None:
        try:
            held = self._take()
            try:
                held.snapshot.verify(lambda: self._closed)
            finally:
                held.release()
            if store_too and not self._closed:
                self._checked = Store(self._folder, write=False)
                try:
                    self._checked.require_integrity()
                finally:
                    self._checked.close()
        except LsrError as error:
            if not self._closed:
                self._damage = error
        except Exception:
            if not self._closed:  # else it was interrupted
                raise

    @contextmanager
    def hold(self) -> Iterator[Snapshot]:
        """The current snapshot, held open for the block.

        Raises
        ------
        CorruptionError
            It is damaged, and there is no `mend` that could do something about it.
        """
        held = self._sound()
        try:
            yield held.snapshot
        finally:
            held.release()

    def _sound(self) -> _Held:
        try:
            return self._compared()
        except (CorruptionError, OutdatedError) as error:
            self._damage = None
            if self._mend is None or not self._mend(error):
                if isinstance(error, CorruptionError):
                    self._damage = error  # until another generation is opened
                raise
        return self._compared()

    def _compared(self) -> _Held:
        held = self._take()
        try:
            if self._damage is not None:
                raise self._damage
            if self._wait:
                held.snapshot.verify()
        except BaseException:
            held.release()
            raise
        return held

    def _take(self) -> _Held:
        """The current snapshot, taken; opened where there is none, or only one that is too old."""
        least = self._least  # what is committed from here on need not be seen by this search
        if (held := self._taken(least)) is not None:
            return held
        with self._opening:
            while (held := self._taken(least)) is None:
                self._install(_Held(Snapshot(self._folder, self._pool)))
            return held

    def _taken(self, least: int) -> _Held | None:
        with self._guard:
            if self._closed:
                raise ReadOnlyIndexError(f"{self._folder} is closed", remedy="open it again")
            held = self._current
            if held is None or held.snapshot.generation < least:
                return None
            held.take()
            return held

    def _install(self, fresh: _Held) -> None:
        with self._guard:
            if self._closed:
                old: _Held | None = fresh
            else:
                old, self._current = self._current, fresh
                self._damage = None
        if old is not None:
            old.release()

    def require(self, generation: int) -> None:
        """From now on no generation older than this is shown."""
        with self._guard:
            self._least = max(self._least, generation)

    def refresh(self) -> bool:
        """Show the newest generation; True where it is another than before. What it needs is compared before."""
        with self.hold() as snapshot:
            before = snapshot.generation
        with self._opening:
            if self._closed or self._store.state().generation == before:
                return False
            fresh = _Held(Snapshot(self._folder, self._pool))
            try:
                fresh.snapshot.verify()
            except BaseException:
                fresh.release()
                raise
            changed = fresh.snapshot.generation != before
            self._install(fresh)
        return changed

    def close(self) -> None:
        """Let go; searches that are under way end first."""
        with self._guard:
            self._closed = True
            held, self._current = self._current, None
        if (checked := self._checked) is not None:
            checked.interrupt()
        if held is not None:
            held.release()
        if self._thread is not None:
            self._thread.join()
