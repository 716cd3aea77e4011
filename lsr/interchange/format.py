"""`Format`: the one shape that all file formats have, and what a reader and a writer are told.

Knows nothing of any format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from lsr.interchange.vocabulary import Terms, WordTable
from lsr.vectors import SparseVectors

#: Ids and, row for row, vectors.
Batch = tuple[list[str], SparseVectors]

#: What to do with a word that the vocabulary lacks: take it in, raise, or leave it out of the vector.
Unknown = Literal["add", "stop", "skip"]


@dataclass(frozen=True, slots=True)
class ReadTask:
    """What is to be read and how.

    Parameters
    ----------
    path : Path
    name : str
        The path as the user wrote it, for messages.
    terms : Terms or None
        Words to ids; None only where neither the format nor the user has words.
    unknown : "add", "stop" or "skip"
    batch : int
        Rows a batch, 1 or more.
    columns : list of str or None
        The words of the file's columns, from its sidecar; None where it has none.
    ids : Path or None
        The sidecar of ids; None to number rows from 0.
    scale : float or None
        Value of one unit of an integer weight; None to believe the file.
    scratch : Path or None
        Folder for temporary files; None for the system's.
    memory : int
        Bytes of postings held before they go to a temporary file.
    """

    path: Path
    name: str
    terms: Terms | None
    unknown: Unknown
    batch: int
    columns: list[str] | None
    ids: Path | None
    scale: float | None
    scratch: Path | None
    memory: int


@dataclass(frozen=True, slots=True)
class WriteTask:
    """What is to be written and how.

    Parameters
    ----------
    name : str
        The path as the user wrote it, for messages.
    folder : Path
        Where temporary files may lie: the target's folder.
    batches : iterable of Batch
        Checked: as many ids as rows, ids sound and all different.
    words : WordTable or None
        How terms are written; None where the format has no words.
    ceiling : float or None
        The weight that 8-bit impact 255 stands for; None to leave weights as they are where the format can.
    memory : int
        Bytes of postings held before they go to a temporary file.
    """

    name: str
    folder: Path
    batches: Iterable[Batch]
    words: WordTable | None
    ceiling: float | None
    memory: int


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_vectors` wrote: a weight is what stands in the file times `scale`."""

    path: Path
    format: str
    documents: int
    postings: int
    scale: float


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Parameters
    ----------
    name : str
    description : str
        One line for a person.
    suffixes : tuple of str
        By which a path is known to be of this format, lower case.
    read : callable
        Batches of a `ReadTask`.
    write : callable
        Writes a `WriteTask` to an open file; returns the value of one unit of the weights that it wrote.
    words : bool
        The file holds words; else it holds numbers of columns, and ids and words lie in text files beside it.
    compressed : bool
        May be read and written with gzip (.gz) and Zstandard (.zst).
    folder : bool
        A folder of such files can be read.
    settings : frozenset of str
        Which of `scale`, `scratch`, `ceiling` and `memory` mean something here; the others are refused.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    read: Callable[[ReadTask], Iterator[Batch]]
    write: Callable[[WriteTask, BinaryIO], float]
    words: bool = True
    compressed: bool = True
    folder: bool = False
    settings: frozenset[str] = frozenset()
