"""One segment, open for reading: named arrays checked against each other, look-ups of terms and documents."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.errors import CorruptionError
from lsr.index.files import ArrayFile, FileSummary
from lsr.index.layout import SUPERBLOCK

_DTYPES = {
    "terms": np.uint32,
    "frequencies": np.uint32,
    "borders": np.int64,
    "lists": np.uint32,
    "starts": np.int64,
    "peaks": np.uint8,
    "docs": np.uint16,
    "impacts": np.uint8,
    "ordinals": np.uint32,
}


class Segment:
    """An immutable segment file, memory-mapped.

    Attributes
    ----------
    n_docs, n_postings : int
    ceiling : float
        The weight that impact 255 stands for.
    terms : uint32 ndarray of shape (T,)
        The terms that occur, ascending.
    frequencies : uint32 ndarray of shape (T,)
        Documents that hold each term, dead ones included.
    borders : int64 ndarray of shape (superblocks + 1,)
        Superblock s has the lists from `borders[s]` to `borders[s + 1]`.
    lists : uint32 ndarray of shape (L,)
        The term of each list, ascending within a superblock; there are no empty lists.
    starts : int64 ndarray of shape (L + 1,), peaks : uint8 ndarray of shape (L,)
        Where each list's postings begin, and its greatest impact.
    docs : uint16 ndarray, impacts : uint8 ndarray, of shape (n_postings,)
        A posting's document within its superblock, ascending in a list, and its impact.

    Raises
    ------
    CorruptionError, FormatVersionError
        As `ArrayFile`; also where the arrays do not fit each other: nothing that a kernel follows is left unchecked.
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
            self.borders: NDArray[np.int64] = arrays["borders"]
            self.lists: NDArray[np.uint32] = arrays["lists"]
            self.starts: NDArray[np.int64] = arrays["starts"]
            self.peaks: NDArray[np.uint8] = arrays["peaks"]
            self.docs: NDArray[np.uint16] = arrays["docs"]
            self.impacts: NDArray[np.uint8] = arrays["impacts"]
            self._ordinals: NDArray[np.uint32] = arrays["ordinals"]
            self.n_docs: int = facts["documents"]
            self.ordinal_base: int = facts["ordinal_base"]
            self.ceiling: float = facts["ceiling"]
            self._check_shapes(facts["superblock"])
        except BaseException:
            self.close()
            raise

    def _check_shapes(self, superblock: int) -> None:
        superblocks = -(-self.n_docs // SUPERBLOCK)
        fits = (
            superblock == SUPERBLOCK
            and len(self._ordinals) == self.n_docs
            and len(self.frequencies) == len(self.terms)
            and len(self.borders) == superblocks + 1
            and self.borders[0] == 0
            and bool((np.diff(self.borders) >= 0).all())
            and len(self.lists) == len(self.peaks) == len(self.starts) - 1 == self.borders[-1]
            and self.starts[0] == 0
            and bool((np.diff(self.starts) > 0).all())
            and len(self.docs) == len(self.impacts) == self.starts[-1]
        )
        if not fits:
            raise CorruptionError(self.path, "its arrays do not fit each other")

    @property
    def n_postings(self) -> int:
        return len(self.docs)

    @property
    def ordinals(self) -> NDArray[np.uint32]:
        """uint32 ndarray of shape (n_docs,), ascending, relative to `ordinal_base`."""
        return self._ordinals

    def locate(self, ordinal: int) -> int | None:
        """The place of a document in this segment, None where it is not here."""
        relative = ordinal - self.ordinal_base
        if relative < 0:
            return None
        place = int(np.searchsorted(self._ordinals, relative))
        return place if place < self.n_docs and int(self._ordinals[place]) == relative else None

    def places(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64 ndarray as long as `ordinals`, which must all be here: the place of each in this segment."""
        return np.searchsorted(self._ordinals, (ordinals - self.ordinal_base).astype(np.uint32)).astype(np.int64)

    def find_lists(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64 ndarray of shape (superblocks, terms): each term's list in each superblock, -1 where it has none."""
        found = np.full((len(self.borders) - 1, len(terms)), -1, np.int64)
        for superblock, (low, high) in enumerate(itertools.pairwise(self.borders.tolist())):
            places, known = _find(self.lists[low:high], terms)
            found[superblock, known] = low + places
        return found

    def document_frequencies(self, terms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """int64 ndarray as long as `terms`: documents here that hold each, dead ones included."""
        result = np.zeros(len(terms), np.int64)
        places, known = _find(self.terms, terms)
        result[known] = self.frequencies[places]
        return result

    def impacts_of(self, place: int, terms: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """uint8 ndarray as long as `terms`: the impact of each in the document at `place`, 0 where it has none."""
        result = np.zeros(len(terms), np.uint8)
        superblock, local = divmod(place, SUPERBLOCK)
        first, last = self.borders[superblock : superblock + 2].tolist()
        places, known = _find(self.lists[first:last], terms)
        for slot, entry in zip(np.flatnonzero(known), (first + places).tolist(), strict=True):
            low, high = self.starts[entry : entry + 2].tolist()
            p = low + int(np.searchsorted(self.docs[low:high], local))
            if p < high and self.docs[p] == local:
                result[slot] = self.impacts[p]
        return result

    def verify(self) -> None:
        """Compare every checksum of the file."""
        self._file.verify()

    def close(self) -> None:
        """Let go of the file. Searching a closed segment is an error of the caller."""
        for name in ("terms", "frequencies", "borders", "lists", "starts", "peaks", "docs", "impacts", "_ordinals"):
            self.__dict__.pop(name, None)
        self._file.close()


def _find(ascending: NDArray[np.uint32], terms: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where those of `terms` stand that are in `ascending`, int64, and which they are, bool as long as `terms`."""
    places = np.searchsorted(ascending, terms)
    known = places < len(ascending)
    known[known] = ascending[places[known]] == terms[known]
    return places[known].astype(np.int64), known
