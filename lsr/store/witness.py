"""The last generation that was committed, noted outside the store: a lost commit is seen.

SQLite ends its write-ahead log at the first record that does not match its checksum. So damage there does not show as
damage: the store is sound and older. The note, written after each commit, tells the two apart. It is never flushed: it
may be older than the store after a crash, and that means nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lsr.errors import CorruptionError
from lsr.store.codec import text_checksum
from lsr.store.schema import FILE_NAME

WITNESS_NAME = "committed"


def note_generation(folder: Path, generation: int) -> None:
    """Write the note, in place; where there is no room for it, there is none."""
    line = f"{generation:020d} {text_checksum(str(generation)) & 0xFFFFFFFFFFFFFFFF:016x}\n".encode()
    with suppress(OSError):
        handle = os.open(folder / WITNESS_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(handle, line, 0)
        finally:
            os.close(handle)


def noted_generation(folder: Path) -> int:
    """The generation of the note; -1 where there is no note that can be believed."""
    with suppress(OSError, ValueError):
        number, digest = (folder / WITNESS_NAME).read_text("ascii").split()
        if int(digest, 16) == text_checksum(str(int(number))) & 0xFFFFFFFFFFFFFFFF:
            return int(number)
    return -1


def require_generation(folder: Path, found: int, noted: int) -> None:
    """Raise `CorruptionError` where the store's generation `found` is older than `noted` before it was opened."""
    if found < noted:
        raise CorruptionError(
            folder / FILE_NAME,
            f"it holds generation {found}, but {noted} was committed: its write-ahead log is damaged or was removed",
            remedy=f"restore a snapshot, or go on from generation {found} with `lsr check DIR --repair`",
        )
