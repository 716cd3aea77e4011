"""The last generation that was committed, noted outside the store: a lost commit, or a store put in its place, is seen.

SQLite ends its write-ahead log at the first record that does not match its checksum. So damage there does not show as
damage: the store is sound and older. The note, written after each commit, tells the two apart. It is never flushed: it
may be older than the store after a crash, and that means nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lsr.errors import CorruptionError
from lsr.store.codec import text_checksum
from lsr.store.schema import FILE_NAME

WITNESS_NAME = "committed"


@dataclass(frozen=True, slots=True)
class Witness:
    """A generation, and the id of the index that it is of."""

    generation: int
    index_id: str

    @property
    def line(self) -> str:
        digest = text_checksum(str(self.generation), self.index_id) & 0xFFFFFFFFFFFFFFFF
        return f"{self.generation:020d} {self.index_id or '-'} {digest:016x}\n"


def write_witness(folder: Path, witness: Witness) -> None:
    """Write the note, in place; where there is no room for it, there is none."""
    with suppress(OSError):
        handle = os.open(folder / WITNESS_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(handle, witness.line.encode(), 0)
        finally:
            os.close(handle)


def read_witness(folder: Path) -> Witness | None:
    """The note; None where there is none that can be believed."""
    with suppress(OSError, ValueError):
        text = (folder / WITNESS_NAME).read_text("ascii")
        number, index_id, _ = text.split()
        witness = Witness(int(number), index_id.replace("-", ""))
        if witness.line == text:
            return witness
    return None


def require_committed(folder: Path, found: Witness, noted: Witness | None) -> None:
    """Raise `CorruptionError` where the store is older than the note was before the store was opened, or another's."""
    if noted is None:
        return
    if found.index_id != noted.index_id:
        raise CorruptionError(
            folder / FILE_NAME,
            "it is the store of another index",
            remedy=f"put its own back, or remove {folder / WITNESS_NAME} and run `lsr check DIR --repair`",
        )
    if found.generation < noted.generation:
        raise CorruptionError(
            folder / FILE_NAME,
            f"it holds generation {found.generation}, but {noted.generation} was committed: its write-ahead log is "
            "damaged or was removed",
            remedy=f"restore a snapshot, or go on from generation {found.generation} with `lsr check DIR --repair`",
        )
