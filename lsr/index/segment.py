"""One segment, open for reading: named arrays that fit each other, look-ups of terms and documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import CorruptionError
from lsr.index.files import ArrayFile, FileSummary
from lsr.index.layout import (
    BLOCK,
    DENSE,
    KTH,
    PLAIN,
    ROW,
    SPAN,
    SPAN_TABLE,
    SUPERBLOCK,
    list_bytes,
    list_kind,
)

_DTYPES = {
    "terms": np.uint32,
    "frequencies": np.uint32,
    "borders": np.uint32,
    "supers": np.uint16,
    "counts": np.uint16,
    "peaks": np.uint8,
    "data_starts": np.int64,
    "row_starts": np.uint32,
    "data": np.uint8,
    "kth": np.uint8,
    "rows": np.uint8,
    "ordinals": np.uint32,
}


@dataclass(frozen=True, slots=True)
class QueryLists:
    """Where the lists of a query's terms are, in slot superblock × terms + term; see `kernels.locate`."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    greatest: NDArray[np.int32]
    rows: NDArray[np.int32]
    numbers: NDArray[np.int32]


class Segment:
    """An immutable segment file, memory-mapped. index/FORMAT.md says what the arrays hold.

    Attributes
    ----------
    n_docs, n_postings : int
    ceiling : float
        The weight that impact 255 stands for.
    reordered : bool
        Whether documents stand in another order than that of their ordinals.
    terms : uint32 ndarray of shape (T,)
        The terms that occur, ascending.
    frequencies : uint32 ndarray of shape (T,)
        Documents that hold each term, dead ones included.

    Raises
    ------
    CorruptionError, FormatVersionError
        As `ArrayFile`; also where the arrays' lengths do not fit each other. What the directory says of single lists is
        checked when they are followed, so that opening takes no longer for large segments than for small ones.
    """

    def __init__(self, path: Path, *, expected: FileSummary | None = None, verify: bool = True) -> None:
        self._file = ArrayFile(path, expected=expected, verify=verify)
        self.path = path
        try:
            arrays, facts = self._file.arrays, self._file.facts
            if {name: array.dtype for name, array in arrays.items()} != _DTYPES:
                raise CorruptionError(path, f"it holds the arrays {sorted(arrays)}")
            self.terms: NDArray[np.uint32] = arrays["terms"]
            self.frequencies: NDArray[np.uint32] = arrays["frequencies"]
            self.borders: NDArray[np.uint32] = arrays["borders"]
            self.supers: NDArray[np.uint16] = arrays["supers"]
            self.counts: NDArray[np.uint16] = arrays["counts"]
            self.peaks: NDArray[np.uint8] = arrays["peaks"]
            self.data_starts: NDArray[np.int64] = arrays["data_starts"]
            self.row_starts: NDArray[np.uint32] = arrays["row_starts"]
            self.data: NDArray[np.uint8] = arrays["data"]
            self.kth: NDArray[np.uint8] = arrays["kth"]
            self.rows: NDArray[np.uint8] = arrays["rows"]
            self.stored_ordinals: NDArray[np.uint32] = arrays["ordinals"]
            self.n_docs: int = facts["documents"]
            self.n_postings: int = facts["postings"]
            self.ordinal_base: int = facts["ordinal_base"]
            self.ceiling: float = facts["ceiling"]
            self.reordered: bool = facts["reordered"]
            self._check_shapes(facts)
            self.data16: NDArray[np.uint16] = self.data.view(np.uint16)
            #: The first arguments of `search_kernels.search_queries`.
            self.for_kernels: tuple[NDArray[Any], ...] = (
                self.terms, self.borders, self.supers, self.counts, self.peaks, self.data_starts, self.row_starts,
                self.data, self.data16, self.rows, self.kth,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def _check_shapes(self, facts: dict[str, object]) -> None:
        n_terms = len(self.terms)
        fits = (
            facts["superblock"] == SUPERBLOCK
            and facts["block"] == BLOCK
            and len(self.stored_ordinals) in (0, self.n_docs)
            and len(self.frequencies) == n_terms
            and len(self.kth) == n_terms * len(KTH)
            and len(self.borders) == len(self.data_starts) == len(self.row_starts) == n_terms + 1
            and len(self.supers) == len(self.counts) == len(self.peaks) == self.borders[-1]
            and self.borders[0] == self.data_starts[0] == self.row_starts[0] == 0
            and len(self.data) == self.data_starts[-1]
            and len(self.data) % 2 == 0
            and len(self.rows) == int(self.row_starts[-1]) * ROW
        )
        if not fits:
            raise CorruptionError(
                self.path,
                "its arrays do not fit each other",
                remedy="`lsr check DIR --repair` rebuilds segments from the store",
            )

    # -- documents --------------------------------------------------------------------------------------------------

    @property
    def n_superblocks(self) -> int:
        return -(-self.n_docs // SUPERBLOCK)

    @property
    def ordinals(self) -> NDArray[np.uint32]:
        """uint32 ndarray of shape (n_docs,), relative to `ordinal_base`: ascending unless the segment is reordered."""
        if len(self.stored_ordinals) < self.n_docs:
            return np.arange(self.n_docs, dtype=np.uint32)
        return self.stored_ordinals

    def ordinals_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64 ndarray as long as `places`: the ordinals of the documents there, relative to `ordinal_base`."""
        if len(self.stored_ordinals) < self.n_docs:
            return places
        return self.stored_ordinals[places].astype(np.int64)

    def locate(self, ordinal: int) -> int | None:
        """The place of a document in this segment, None where it is not here."""
        place = int(self.find(np.array([ordinal], np.int64))[0])
        return None if place < 0 else place

    def find(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64 ndarray as long as `ordinals`, in any order: the place of each in this segment, -1 where it is not."""
        relative = ordinals - self.ordinal_base
        if len(self.stored_ordinals) < self.n_docs:
            return np.where((relative >= 0) & (relative < self.n_docs), relative, -1)
        if not self.reordered:
            slots = np.searchsorted(self.stored_ordinals, relative)
            here = slots < self.n_docs
            here[here] = self.stored_ordinals[slots[here]] == relative[here]
            return np.where(here, slots, -1)
        order = np.argsort(relative, kind="stable")
        wanted = relative[order]
        slots = np.searchsorted(wanted, self.stored_ordinals)
        here = slots < len(wanted)
        here[here] = wanted[slots[here]] == self.stored_ordinals[here]
        result = np.full(len(ordinals), -1, np.int64)
        result[order[slots[here]]] = np.flatnonzero(here)
        return result

    def places(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same for documents that must all be here."""
        places = self.find(ordinals)
        if len(places) and int(places.min()) < 0:
            raise KeyError(int(ordinals[int(places.argmin())]))
        return places

    # -- terms ------------------------------------------------------------------------------------------------------

    def numbers(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64 ndarray as long as `terms`: the place of each in this segment's `terms`, -1 where it is not there."""
        places = np.searchsorted(self.terms, terms).astype(np.int64)
        known = places < len(self.terms)
        known[known] = self.terms[places[known]] == terms[known]
        places[~known] = -1
        return places

    def document_frequencies(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64 ndarray as long as `terms`: documents here that hold each, dead ones included."""
        numbers = self.numbers(terms)
        result = np.zeros(len(terms), np.int64)
        result[numbers >= 0] = self.frequencies[numbers[numbers >= 0]]
        return result

    def lists(self, number: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.uint8]]]:
        """The lists of term `number`: superblock, documents within it (ascending), their impacts. Slow and plain."""
        low, high = int(self.borders[number]), int(self.borders[number + 1])
        at = int(self.data_starts[number])
        for entry in range(low, high):
            superblock, count = int(self.supers[entry]), int(self.counts[entry]) + 1
            documents = min(SUPERBLOCK, self.n_docs - superblock * SUPERBLOCK)
            size = list_bytes(count, documents) if 0 < count <= documents else 0
            if size == 0 or at + size > len(self.data):
                raise self.damaged_directory(number)
            yield superblock, *self._postings(at, count, documents)
            at += size
        if at != self.data_starts[number + 1]:
            raise self.damaged_directory(number)

    def locate_lists(self, terms: NDArray[np.uint32]) -> QueryLists:
        """All lists of these terms, ascending, by the compiled kernel.

        Raises `CorruptionError` where the directory cannot be right: what is returned can be followed.
        """
        from lsr.index.directory_kernels import locate

        slots = self.n_superblocks * len(terms)
        starts = np.empty(slots, np.int64)
        lengths, greatest, rows = np.empty((3, slots), np.int32)
        numbers = np.empty(len(terms), np.int32)
        damaged = locate(
            terms,
            self.terms,
            self.borders,
            self.supers,
            self.counts,
            self.peaks,
            self.data_starts,
            self.row_starts,
            self.n_docs,
            starts,
            lengths,
            greatest,
            rows,
            numbers,
        )
        if damaged >= 0:
            raise self.damaged_directory(damaged)
        return QueryLists(starts, lengths, greatest, rows, numbers)

    def damaged_directory(self, number: int) -> CorruptionError:
        """What to raise where the directory of term `number` cannot be right."""
        return CorruptionError(
            self.path,
            f"what its directory says of the term {int(self.terms[number])} does not fit its lists",
            remedy="`lsr check DIR --repair` rebuilds segments from the store",
        )

    def _postings(self, at: int, count: int, documents: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        data, kind = self.data, list_kind(count, documents)
        if kind == PLAIN:
            ids = self.data16[at // 2 : at // 2 + count].astype(np.int64)
            return ids, data[at + 2 * count : at + 3 * count]
        if kind == DENSE:
            values = data[at : at + documents]
            ids = np.flatnonzero(values)
            return ids, values[ids]
        table = self.data16[at // 2 : (at + SPAN_TABLE) // 2].astype(np.int64)
        spans = np.repeat(np.arange(len(table) - 1) * SPAN, np.maximum(np.diff(table), 0))[:count]
        low = at + SPAN_TABLE
        return spans + data[low : low + len(spans)], data[low + count : low + count + len(spans)]

    def impacts_of(self, place: int, terms: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """uint8 ndarray as long as `terms`: the impact of each in the document at `place`, 0 where it has none."""
        result = np.zeros(len(terms), np.uint8)
        superblock, local = divmod(place, SUPERBLOCK)
        for slot, number in enumerate(self.numbers(terms).tolist()):
            if number >= 0:
                result[slot] = self._impact(number, superblock, local)
        return result

    def _impact(self, number: int, superblock: int, local: int) -> int:
        low, high = int(self.borders[number]), int(self.borders[number + 1])
        entry = low + int(np.searchsorted(self.supers[low:high], superblock))
        if entry >= high or self.supers[entry] != superblock:
            return 0
        counts = self.counts[low : entry + 1].astype(np.int64) + 1  # all superblocks but the last one are full
        sizes = [list_bytes(count, SUPERBLOCK) for count in counts[:-1].tolist()]
        at, count = int(self.data_starts[number]) + sum(sizes), int(counts[-1])
        documents = min(SUPERBLOCK, self.n_docs - superblock * SUPERBLOCK)
        if count > documents or at + list_bytes(count, documents) > len(self.data):
            raise self.damaged_directory(number)
        ids, impacts = self._postings(at, count, documents)
        p = int(np.searchsorted(ids, local))
        return int(impacts[p]) if p < len(ids) and ids[p] == local else 0

    # -- looking after ----------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Compare every checksum of the file."""
        self._file.verify()

    def close(self) -> None:
        """Let go of the file. Searching a closed segment is an error of the caller."""
        for name in [*_DTYPES, "data16", "stored_ordinals", "for_kernels"]:
            self.__dict__.pop(name, None)
        self._file.close()
