"""Document ids: which are sound, and whether all differ, in 16 bytes an id.

Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from lsr.sources.values import flaw_of_text

_Run = tuple[NDArray[np.uint64], NDArray[np.uint64]]


def flaw_of_id(identity: object) -> str | None:
    """What makes an id unfit, as a phrase; None for a sound one."""
    if not isinstance(identity, str):
        return f"is {type(identity).__name__}, not a string"
    if not identity:
        return "is empty"
    return flaw_of_text(identity)


class UniqueIds:
    """Tells the first id that was given before, by 128-bit digests: that two of a billion agree by chance has a
    probability of 10⁻²⁰. Sorted runs, merged so that each is at least twice as long as the next.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, ids: Sequence[str]) -> int | None:
        """The place in `ids` of the first that was given before, there or earlier; None where all are new."""
        if not len(ids):
            return None
        digests = np.frombuffer(b"".join(xxhash.xxh3_128_digest(identity.encode()) for identity in ids), np.uint64)
        high, low = digests[0::2], digests[1::2]
        again = np.zeros(len(ids), bool)
        if len(set(ids)) < len(ids):
            seen: set[str] = set()
            for place, identity in enumerate(ids):
                again[place] = identity in seen
                seen.add(identity)
        for run in self._runs:
            _mark(run, high, low, again)
        if again.any():
            return int(np.argmax(again))
        self._take((high, low))
        return None

    def _take(self, run: _Run) -> None:
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            older = self._runs.pop()
            run = np.concatenate([older[0], run[0]]), np.concatenate([older[1], run[1]])
        order = np.argsort(run[0], kind="stable")
        self._runs.append((run[0][order], run[1][order]))


def _mark(run: _Run, high: NDArray[np.uint64], low: NDArray[np.uint64], again: NDArray[np.bool_]) -> None:
    """Set `again` where a digest is in the run."""
    starts = np.searchsorted(run[0], high, side="left")
    stops = np.searchsorted(run[0], high, side="right")
    for place in np.flatnonzero(stops > starts):
        again[place] |= bool((run[1][starts[place] : stops[place]] == low[place]).any())
