"""The write path: documents in, one transaction, one commit; segments are built before the commit names them."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from lsr.encoders.base import Encoder
from lsr.engine.batch import Batch, Rows
from lsr.engine.building import build_segment
from lsr.engine.merging import Plan
from lsr.engine.queue import CommitQueue, Request
from lsr.engine.segments import SegmentPool
from lsr.errors import CorruptionError, DeviceFailedError, DiskFullError, LsrError, OutdatedError, WriterStoppedError
from lsr.index.files import sync_folder
from lsr.index.layout import MAX_ORDINAL
from lsr.index.quantize import impact_ceiling
from lsr.store.durable import named_refusals
from lsr.store.records import SegmentRow, State
from lsr.store.schema import SEGMENT_FOLDER
from lsr.store.store import Store
from lsr.store.terms import StoredTerms
from lsr.store.witness import read_witness, require_committed, write_witness

log = logging.getLogger("lsr.engine")

Result = TypeVar("Result")

#: A length-normalised index is computed anew when its average length has moved by more than this share.
_DRIFT = 0.1


class Writer:
    """Changes an index. The caller holds the writer's lock; any of its threads may call.

    `run` is durable on return and without effect when it raises; calls of several threads that come while another
    commits share the next transaction and the next segment. After a failure of the device nothing is written any more
    (`WriterStoppedError`): only opening the index again tells what the device holds.

    Two things are the same in all segments of a generation, so that their scores can be compared: the *ceiling*, the
    weight that impact 255 stands for, and for BM25 the average length that its weights were computed with. Both follow
    the documents: the ceiling when a greater weight comes, the average when it has drifted. The segments are then built
    anew from the stored vectors. `optimize` makes both exact, so that an optimized index is a function of its live
    documents and their order alone.

    Parameters
    ----------
    committed : callable
        Told the number of each new generation, by the thread that committed it; must not write.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        encoder: Encoder,
        terms: StoredTerms,
        pool: SegmentPool,
        committed: Callable[[int], None],
    ) -> None:
        self._root = folder
        self._folder = folder / SEGMENT_FOLDER
        self._store = store
        self._encoder = encoder
        self._terms = terms
        self._pool = pool
        self._committed = committed
        self._queue = CommitQueue(self._commit)
        self._failure: Exception | None = None
        self._reorder = False
        self._numbering = threading.Lock()
        state = store.state()
        require_committed(folder, store.witness(), read_witness(folder))
        self._next_segment = state.next_segment
        #: Number of the last generation that was committed, and how many segments it has.
        self.generation = state.generation
        self.count = len(store.segments())
        self._written: list[str] = []
        #: Segments that were found damaged or outdated and were built anew, by the names that they had.
        self.mended: list[str] = []
        self.sweep()

    def run(self, work: Callable[[Batch], Result]) -> Result:
        """Change the index by `work`, with whatever other threads want at the same time."""
        return self._queue.run(work)

    @property
    def stopped(self) -> bool:
        """True after a failure of the device: nothing is written any more."""
        return self._failure is not None

    def unusable(self) -> set[str]:
        """Names of live segments that are damaged, or of another version of the format: all of them are read."""
        with self._queue.turn:
            rows = self._store.segments()
        found = set()
        for row in rows:
            try:
                opened = self._pool.take(row)
                try:
                    opened.verify()
                    opened.require_whole()
                finally:
                    self._pool.release(opened)
            except (CorruptionError, OutdatedError):
                found.add(row.name)
        return found

    def optimize(self, *, reorder: bool = False) -> None:
        """Merge to one segment, without the dead, with exact calibration; does nothing where that is so already.

        With `reorder`, also where documents are not in the order of `SegmentBuilder` yet.

        Gives room that deleted rows have left back to the device where it is a quarter of the store and more.
        """
        with self._queue.turn:
            self._require_working()
            state, rows = self._store.state(), self._store.segments()
            exact = self._calibrated(self._measured(state))
            apart = len(rows) > 1 or any(row.dead is not None for row in rows)
            if apart or exact != state or (reorder and not all(self._reordered(row) for row in rows)):
                self._reorder = reorder
                try:
                    self._replace(exact)
                finally:
                    self._reorder = False
            if self._store.free_share() > 0.25:
                try:
                    self._store.vacuum()
                except DiskFullError as error:  # it needs room for a second store for a while
                    log.warning("the store keeps its size: %s", error)
                except DeviceFailedError as error:
                    self._stop(error)
                    raise

    def rebuild(self) -> None:
        """Build every segment anew from the store, whatever state the files are in."""
        with self._queue.turn:
            self._replace(self._calibrated(self._measured(self._store.state())))

    def mend(self, names: Iterable[str]) -> None:
        """Build these segments anew from the store, those of them that are still live."""
        wanted = frozenset(names)
        self.run(lambda batch: batch.mend(wanted))

    def checkpoint(self) -> None:
        """See `Store.checkpoint`; a device that fails at it stops the writer."""
        with self._queue.turn:
            if self._failure is None:
                try:
                    self._store.checkpoint()
                except DeviceFailedError as error:
                    self._stop(error)

    def sweep(self) -> None:
        """Remove segment files that no commit names: leavings of a crash."""
        live = {row.name for row in self._store.segments()}
        with named_refusals(self._folder):
            for path in self._folder.iterdir():
                if path.name not in live:
                    path.unlink()

    # -- merging ----------------------------------------------------------------------------------------------------

    def build_aside(self, plan: Plan, store: Store, wanted: Callable[[], bool]) -> SegmentRow | None:
        """One segment of the live documents that the plan's rows hold, as the reader `store` sees them; not live yet.

        None, too, where `wanted`, which is asked now and then, says no.
        """
        name = self._new_name()
        try:
            with named_refusals(self._folder):
                batches = []
                for batch in store.vectors(self._encoder.dim, plan.rows[0].first, plan.rows[-1].last):
                    if not wanted():
                        return None
                    batches.append(batch)
                return build_segment(self._folder / name, batches, self._encoder, plan.state)
        except DeviceFailedError as error:
            self._stop(error)
            raise

    def put_aside(self, name: str) -> None:
        """Remove a file of `build_aside`, unless it is, or may be after reopening, part of the index."""
        with self._queue.turn, suppress(OSError, LsrError):
            if not self._store.uncertain and name not in {row.name for row in self._store.segments()}:
                (self._folder / name).unlink(missing_ok=True)

    def exchange(self, plan: Plan, merged: SegmentRow | None) -> bool:
        """Commit `merged` in place of the rows that it was built from; False where those are no longer live.

        Documents that died meanwhile are dead in it too.
        """
        with self._queue.turn:
            rows = self._store.segments()
            names = [row.name for row in rows]
            if plan.rows[0].name not in names:
                return False
            start = names.index(plan.rows[0].name)
            stop = start + len(plan.rows)
            if names[start:stop] != [row.name for row in plan.rows]:
                return False
            with self._transaction([merged.name] if merged else []):
                state = self._store.state()
                kept = [self._with_later_dead(plan.rows, rows[start:stop], merged)] if merged else []
                kept = [row for row in kept if row.living]
                self._put(state, [*rows[:start], *kept, *rows[stop:]])
        return True

    def _with_later_dead(
        self, before: Sequence[SegmentRow], now: Sequence[SegmentRow], merged: SegmentRow
    ) -> SegmentRow:
        """`merged`, built from `before`, with those documents dead that have died until `now`."""
        for old, new in zip(before, now, strict=True):
            if old.dead == new.dead:
                continue
            was = np.ones(old.documents, np.uint8) if (alive := old.alive()) is None else alive
            still = new.alive()
            assert still is not None
            opened, target = self._pool.take(new), self._pool.take(merged)
            try:
                opened.verify()
                ordinals = opened.segment.ordinals.astype(np.int64) + opened.segment.ordinal_base
                places = target.segment.places(np.sort(ordinals[(was == 1) & (still == 0)]))
            finally:
                self._pool.release(opened)
                self._pool.release(target)
            (old_terms, old_counts), (terms, counts) = old.dead_counts(), new.dead_counts()
            more = counts.astype(np.int64)
            more[np.searchsorted(terms, old_terms)] -= old_counts
            merged = merged.bury(places, np.repeat(terms, more))
        return merged

    # -- the transaction ------------------------------------------------------------------------------------------

    def _commit(self, group: list[Request]) -> None:
        """What a `CommitQueue` asks of its callable."""
        batch = None
        try:
            with self._transaction():
                batch = Batch(self._store, self._encoder, self._pool)
                for request in group:
                    self._try(batch, request, alone=len(group) == 1)
                if not batch.changes.changed:
                    raise _NothingToDo
                self._seal(batch)
        except _NothingToDo:
            pass
        except BaseException:
            committed = batch is not None and batch.changes.changed and self._is_committed(batch.generation)
            for request in group:
                if committed and request.error is None:
                    request.done = True
            raise
        for request in group:
            request.done = True

    def _is_committed(self, generation: int) -> bool:
        with suppress(LsrError):
            return self._failure is None and self._store.state().generation >= generation
        return False

    def _try(self, batch: Batch, request: Request, alone: bool) -> None:
        """Do one request of a group; where it fails, the others go on without it."""
        if alone:
            request.result = request.work(batch)
            return
        before = batch.changes
        try:
            with self._store.savepoint():
                request.result = request.work(batch)
        except Exception as error:
            if not self._store.in_transaction or isinstance(error, DeviceFailedError):
                raise
            batch.changes = before
            self._terms.forget()  # those of the others are looked up again
            request.error = error

    def _seal(self, batch: Batch) -> None:
        """Turn the changes into segments and rows: the last act before the commit."""
        changes = batch.changes
        state, rows = changes.state, list(changes.rows)
        if changes.counts is not None:
            self._store.put_frequencies(changes.counts)
        if self._stale(state):
            self._seal_anew(self._calibrated(state))
            return
        for row in changes.rows:
            if row.name in changes.broken:
                built = self._build(state, row.first, row.last)
                rows[rows.index(row) : rows.index(row) + 1] = built
                self.mended.append(row.name)
                log.warning("segment %s was damaged or outdated: built anew from the store", row.name)
        if changes.fresh:
            rows += self._write(state, changes.fresh)
        self._put(state, [row for row in rows if row.living])

    def _seal_anew(self, state: State) -> None:
        self._put(state, self._build(state, 0, MAX_ORDINAL))

    def _replace(self, state: State) -> None:
        with self._transaction():
            self._seal_anew(state)

    @contextmanager
    def _transaction(self, written: Sequence[str] = ()) -> Iterator[None]:
        """A transaction over store and segment files: what the block writes is kept with the commit or removed."""
        self._require_working()
        self._written = list(written)
        before, generation = self._store.segments(), self._store.state().generation
        try:
            with named_refusals(self._folder), self._store.transaction():
                yield
        except DeviceFailedError as error:
            self._stop(error)
            raise
        finally:
            # An exception does not tell that nothing was committed: Ctrl-C may come right after. The store does.
            with suppress(OSError, LsrError):
                self._clear_up(before, generation)

    def _clear_up(self, before: Sequence[SegmentRow], generation: int) -> None:
        """After a transaction, however it ended: remove files that are not part of the index, and tell of a commit."""
        if self._store.uncertain:
            return  # the commit may come back after reopening, and would miss its files; that opening sweeps
        self.generation = now = self._store.state().generation
        if now > generation:
            self._terms.keep()
            write_witness(self._root, self._store.witness())
        else:
            self._terms.forget()
        live = {row.name for row in self._store.segments()}
        self.count = len(live)
        for name in {*self._written, *(row.name for row in before)} - live:
            with suppress(OSError):  # what cannot be removed now is swept at the next opening
                (self._folder / name).unlink(missing_ok=True)
        if now > generation:
            self._committed(now)

    def _put(self, state: State, rows: list[SegmentRow]) -> None:
        """All files are on the device before the commit names them."""
        if self._written:
            sync_folder(self._folder)
        self._store.put_segments(rows)
        with self._numbering:
            state = dataclasses.replace(state, generation=state.generation + 1, next_segment=self._next_segment)
        self._store.put_state(state)

    def _require_working(self) -> None:
        if self._failure is not None:
            raise WriterStoppedError(
                f"{self._root} takes no more writes: {self._failure}", remedy="close it and open it again"
            ) from self._failure

    def _stop(self, error: Exception) -> None:
        log.error("no more writes to %s until it is opened again: %s", self._root, error)
        self._failure = self._failure or error

    # -- segments ---------------------------------------------------------------------------------------------------

    def _new_name(self) -> str:
        with self._numbering:
            self._next_segment += 1
            return f"{self._next_segment - 1:08d}.seg"

    def _build(self, state: State, first: int, last: int) -> list[SegmentRow]:
        """One segment of the live documents from ordinal `first` to `last`; none where there are none."""
        return self._write(state, self._store.vectors(self._encoder.dim, first, last))

    def _write(self, state: State, batches: Iterable[Rows]) -> list[SegmentRow]:
        name = self._new_name()
        self._written.append(name)
        row = build_segment(self._folder / name, batches, self._encoder, state, reorder=self._reorder)
        return [row] if row else []

    def _reordered(self, row: SegmentRow) -> bool:
        opened = self._pool.take(row)
        try:
            return opened.segment.reordered
        finally:
            self._pool.release(opened)

    # -- calibration ------------------------------------------------------------------------------------------------

    def _stale(self, state: State) -> bool:
        """True where the segments of `state` cannot, or should not, take the documents that it counts."""
        if self._encoder.length_normalised:
            average = state.total_length / max(1, state.documents)
            return abs(average - state.average_length) > _DRIFT * state.average_length
        return state.max_weight > state.ceiling

    def _measured(self, state: State) -> State:
        """`state` with the greatest weight of the live documents in place of the greatest ever."""
        if self._encoder.length_normalised:
            return state
        batches = self._store.vectors(self._encoder.dim)
        heaviest = max((float(batch.weights.max()) for _, batch in batches if batch.nnz), default=0.0)
        return dataclasses.replace(state, max_weight=heaviest)

    def _calibrated(self, state: State) -> State:
        """`state` with ceiling and average length that fit the documents that it counts."""
        average = state.total_length / max(1, state.documents)
        if self._encoder.length_normalised:
            return dataclasses.replace(state, ceiling=1.0, average_length=average)
        ceiling = impact_ceiling(state.max_weight) if state.max_weight > 0 else 0.0
        return dataclasses.replace(state, ceiling=ceiling)


class _NothingToDo(Exception):
    """Ends a transaction that has nothing to commit."""
