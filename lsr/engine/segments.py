"""The segment files that a process has open: each once, shared by the generations that name it, compared once.

Knows files and counts of holders. Knows nothing of generations or queries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lsr.errors import IndexStateError
from lsr.index.segment import Segment
from lsr.store.records import SegmentRow
from lsr.store.schema import SEGMENT_FOLDER


class OpenSegment:
    """One open file and who holds it; made by a `SegmentPool`."""

    def __init__(self, segment: Segment, key: tuple[str, int]) -> None:
        self.segment = segment
        self.key = key
        self.holders = 0
        self._lock = threading.Lock()

    @property
    def verified(self) -> bool:
        """True once every checksum of the file has been compared."""
        return self.segment._file.verified

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return self.segment._file._size

    def verify(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Compare every checksum, unless that was done; a second thread waits for the first.

        Raises `CorruptionError`.
        """
        if self.verified:
            return
        with self._lock:
            if not self.verified:
                self.segment._file.verify(stop)

    def reopen(self) -> IO[bytes]:
        """The file as bytes, from a handle of its own; also where its name is gone."""
        return self.segment._file.reopen()

    def require_whole(self) -> None:
        """Raise `CorruptionError` where the file has been cut short since it was opened."""
        self.segment._file.require_whole()


class SegmentPool:
    """Open files of the index in `folder`. Thread-safe; a file is closed when its last holder lets go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SEGMENT_FOLDER
        self._open: dict[tuple[str, int], OpenSegment] = {}
        self._lock = threading.Lock()

    def take(self, row: SegmentRow) -> OpenSegment:
        """The open file that a row of the commit names; `release` it in the end.

        Its header and its structure are checked: nothing that a kernel follows leads out of it.

        Raises
        ------
        CorruptionError, FormatVersionError
        """
        key = (row.name, row.file.checksum)
        with self._lock:
            opened = self._open.get(key)
            if opened is None:
                try:
                    segment = Segment(self._folder / row.name, expected=row.file, verify=False)
                except OSError as error:
                    raise IndexStateError(f"{self._folder / row.name} cannot be opened: {error.strerror}") from error
                opened = self._open[key] = OpenSegment(segment, key)
            opened.holders += 1
        return opened

    def release(self, opened: OpenSegment) -> None:
        """Let go of a file that was taken."""
        with self._lock:
            opened.holders -= 1
            if opened.holders == 0:
                del self._open[opened.key]
                opened.segment.close()
