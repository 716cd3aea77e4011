"""What a commit says of the index as a whole: its statistics and its list of live segments."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.index.files import FileSummary


@dataclass(frozen=True, slots=True)
class State:
    """One generation.

    generation : int
        Counts commits, from 0 for a new index.
    documents : int
        Live ones.
    total_length : float
        Sum of all weights of all live encoded documents; kept exact for encoders whose weights are counts.
    max_weight : float
        Greatest weight indexed since the last calibration; 0 when there is none.
    ceiling : float
        The weight that impact 255 stands for in every live segment; 0 before the first document.
    average_length : float
        The collection's average length that the indexed weights were computed with; 0 before the first document.
    next_segment : int
        Number of the next segment file.
    """

    generation: int = 0
    documents: int = 0
    total_length: float = 0.0
    max_weight: float = 0.0
    ceiling: float = 0.0
    average_length: float = 0.0
    next_segment: int = 0

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One live segment: its file, the ordinals that it covers, and which of its documents are dead.

    first, last : int
        Ordinals, both inclusive; ranges of segments do not overlap.
    dead : bytes or None
        Packed bits, one a document in the segment's order.
    dead_terms : bytes or None
        (uint32 term, uint32 count) pairs, ascending: postings of the dead, so that document frequencies are of the
        living.
    """

    name: str
    first: int
    last: int
    documents: int
    postings: int
    file: FileSummary
    dead: bytes | None = None
    dead_terms: bytes | None = None

    def alive(self) -> NDArray[np.uint8] | None:
        """uint8 ndarray of shape (documents,), 0 for the dead; None where nobody is."""
        if self.dead is None:
            return None
        bits = np.unpackbits(np.frombuffer(self.dead, np.uint8), count=self.documents)
        living = np.ascontiguousarray(1 - bits)
        living.flags.writeable = False
        return living

    def dead_counts(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Terms of the dead, ascending, and in how many of the dead each occurs."""
        pairs = np.frombuffer(self.dead_terms or b"", np.uint32).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    @property
    def deleted(self) -> int:
        """How many of its documents are dead."""
        return 0 if self.dead is None else int.from_bytes(self.dead, "little").bit_count()

    @property
    def living(self) -> int:
        return self.documents - self.deleted

    def bury(self, places: NDArray[np.int64], terms: NDArray[np.uint32]) -> SegmentRow:
        """This row with the documents at `places` dead too; `terms` are all terms that they hold, with repetitions."""
        bits = np.zeros(self.documents, np.uint8) if (alive := self.alive()) is None else 1 - alive
        bits[places] = 1
        old_terms, old_counts = self.dead_counts()
        joined, slots = np.unique(np.concatenate([old_terms, terms]), return_inverse=True)
        more = np.ones(len(terms), np.uint32)
        counts = np.bincount(slots, weights=np.concatenate([old_counts, more]), minlength=len(joined))
        pairs = np.stack([joined.astype(np.uint32), counts.astype(np.uint32)], axis=1)
        return dataclasses.replace(self, dead=np.packbits(bits).tobytes(), dead_terms=pairs.tobytes())
