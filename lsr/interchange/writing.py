"""`write_vectors`: batches of vectors to a file of any format, whole or not at all.

Checks what every format needs. Knows nothing of any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lsr.errors import InvalidSettingError, InvalidVectorsError
from lsr.interchange.format import Batch, WriteTask, Written
from lsr.interchange.ids import UniqueIds, flaw_of_id
from lsr.interchange.reading import check_memory, refuse_settings
from lsr.interchange.registry import format_named, format_of
from lsr.interchange.sidecars import sidecar
from lsr.interchange.streams import COMPRESSED, compressed
from lsr.interchange.targets import targets
from lsr.interchange.vocabulary import Terms, WordTable, flaw_of_line
from lsr.interchange.weights import check_ceiling
from lsr.vectors import SparseVectors

_WORDS_AT_ONCE = 1 << 14


def write_vectors(
    path: str | Path,
    format: str | None,
    batches: Iterable[tuple[Sequence[str], SparseVectors]],
    *,
    words: Sequence[str] | Terms | None = None,
    ceiling: float | None = None,
    memory: int | None = None,
    overwrite: bool = False,
) -> Written:
    """Write vectors; the file has its name only once all of it is on the device.

    Parameters
    ----------
    path : str or Path
        A suffix .gz or .zst compresses, except for the formats of numbers, which get FILE.ids.txt, and with words
        FILE.words.txt, beside them.
    format : str or None
        One of `list_formats`; None for what the suffix stands for.
    batches : iterable of (ids, SparseVectors)
        Read once, in order. A `VectorFile` is one.
    words : sequence of str, or Terms
        How terms are written. Formats of words need it.
    ceiling : float, optional
        Formats of words: write 8-bit impacts, of which 255 stands for this weight. By default weights are written as
        they are; where a format has integers only (CIFF) and a weight is not whole, the ceiling is the least value of
        the index's grid that no weight exceeds. Give all parts of a collection the same.
    memory : int, optional
        CIFF: bytes of postings to hold before a temporary file beside the target is used; by default 128 MiB.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    InvalidSettingError
        An unknown format, a missing setting or one that means nothing, or a path that exists.
    InvalidVectorsError
        Ids that are flawed, given twice or not as many as rows; terms without words; weights that the format cannot
        hold. Nothing is written.
    DiskFullError, AccessDeniedError
        The operating system refuses. Nothing is written.
    """
    path = Path(path)
    chosen = format_of(path) if format is None else format_named(format)
    refuse_settings(chosen, {"ceiling": ceiling, "memory": memory}, "writing")
    check_ceiling(ceiling)
    suffix = path.suffix.lower()
    if suffix in COMPRESSED and not chosen.compressed:
        raise InvalidSettingError(f"{chosen.name} is not written compressed", remedy=f"leave {suffix!r} away")
    if chosen.words and words is None:
        raise InvalidSettingError(
            f"{chosen.name} needs words for the terms",
            remedy="pass the words of the vocabulary, for example [str(term) for term in range(dim)]",
        )
    table = None if words is None else WordTable(words)
    paths = [path]
    if not chosen.words:
        paths = [sidecar(path, "ids"), *([] if table is None else [sidecar(path, "words")]), path]
        if table is None and sidecar(path, "words").exists():
            raise InvalidSettingError(
                f"{sidecar(path, 'words')} exists and would not fit", remedy="remove it, or pass words"
            )
    with targets(paths, overwrite=overwrite) as files, ExitStack() as stack:
        checked = _Checked(batches, table, None if chosen.words else files[0])
        task = WriteTask(str(path), path.parent, checked, table, ceiling, check_memory(memory))
        out = stack.enter_context(compressed(files[-1], suffix))
        scale = chosen.write(task, out)
        if table is not None and not chosen.words:
            _write_words(table, files[1])
    return Written(path, chosen.name, checked.documents, checked.postings, scale)


class _Checked:
    """Batches that a format can write as they are; ids also go to their own file, where there is one."""

    def __init__(
        self,
        batches: Iterable[tuple[Sequence[str], SparseVectors]],
        words: WordTable | None,
        id_file: BinaryIO | None,
    ) -> None:
        self._batches = batches
        self._words = words
        self._id_file = id_file
        self._unique = UniqueIds()
        self.documents = 0
        self.postings = 0

    def __iter__(self) -> Iterator[Batch]:
        for names, vectors in self._batches:
            ids = list(names)
            if len(ids) != len(vectors):
                raise InvalidVectorsError(f"{len(ids)} ids for {len(vectors)} vectors")
            for row, identity in enumerate(ids):
                if flaw := flaw_of_id(identity):
                    raise InvalidVectorsError(f"the id of document {self.documents + row} {flaw}")
            if (again := self._unique.add(ids)) is not None:
                raise InvalidVectorsError(f"the id {ids[again]!r} is given to two documents")
            if self._words is not None and vectors.nnz and int(vectors.terms.max()) >= len(self._words):
                raise InvalidVectorsError(
                    f"term {int(vectors.terms.max())} has no word: there are {len(self._words)} words",
                    remedy="give the words of the vocabulary that the vectors were made with",
                )
            if self._id_file is not None:
                for identity in ids:
                    if flaw := flaw_of_line(identity):
                        raise InvalidVectorsError(f"the id {identity!r} {flaw}, it cannot stand in a text file of ids")
                self._id_file.write("".join(f"{identity}\n" for identity in ids).encode())
            self.documents += len(ids)
            self.postings += vectors.nnz
            yield ids, vectors


def _write_words(table: WordTable, file: BinaryIO) -> None:
    for start in range(0, len(table), _WORDS_AT_ONCE):
        words = table.of(np.arange(start, min(start + _WORDS_AT_ONCE, len(table)), dtype=np.uint32))
        for word in words:
            if flaw := flaw_of_line(word):
                raise InvalidVectorsError(f"the word {word!r} {flaw}, it cannot stand in a text file of words")
        file.write("".join(f"{word}\n" for word in words).encode())
