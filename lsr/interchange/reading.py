"""`read_vectors`: a file of ready-made vectors as batches, whatever its format.

Knows settings, vocabularies and sidecars. Knows nothing of any format.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lsr.errors import InvalidSettingError, SourceError
from lsr.interchange.format import Batch, Format, ReadTask, Unknown
from lsr.interchange.registry import format_named, format_of
from lsr.interchange.sidecars import read_words, sidecar
from lsr.interchange.streams import COMPRESSED
from lsr.interchange.vocabulary import Terms, Vocabulary, as_terms
from lsr.interchange.weights import is_scale
from lsr.sources.streams import reading

MEMORY = 128 << 20


class VectorFile:
    """A file of vectors. Iterating reads it from its beginning: (ids, `SparseVectors`), row for row.

    Attributes
    ----------
    format : str
    vocabulary : Terms or None
        Terms to words; it may grow while the file is read, and is complete with the last batch (for CIFF, with the
        first). None where neither the file nor the caller has words.
    """

    def __init__(self, format: Format, task: ReadTask) -> None:
        self.format = format.name
        self.vocabulary = task.terms
        self._format = format
        self._task = task

    def __iter__(self) -> Iterator[Batch]:
        yield from self._format.read(self._task)


def read_vectors(
    path: str | Path,
    format: str | None = None,
    *,
    words: Sequence[str] | Terms | None = None,
    unknown: Unknown | None = None,
    batch: int = 1024,
    ids: str | Path | None = None,
    number_rows: bool = False,
    scale: float | None = None,
    scratch: str | Path | None = None,
    memory: int | None = None,
) -> VectorFile:
    """Open a file of ready-made vectors.

    Parameters
    ----------
    path : str or Path
        A file; for JSON Lines also a folder of them. Formats of text and CIFF also with gzip or Zstandard.
    format : str, optional
        One of `list_formats`; by default what the suffix stands for.
    words : sequence of str, or Terms, optional
        The vocabulary: a sequence is fixed, word i is term i; `Terms` (an index's own, a `Vocabulary`) take new words
        in. By default a new vocabulary, in order of appearance, or that in FILE.words.txt where columns are numbers.
    unknown : "add", "stop" or "skip", optional
        What to do with a word that the vocabulary lacks. By default "stop" for a sequence, else "add".
    batch : int
        Rows a batch.
    ids : str or Path, optional
        Formats of numbers: the text file with an id a line; by default FILE.ids.txt beside the file.
    number_rows : bool
        Formats of numbers: there are no ids, number the rows from 0.
    scale : float, optional
        CIFF: the weight of one unit of `tf`; by default what a file written by lsr says, else 1.
    scratch : str or Path, optional
        CIFF: folder for a temporary file of 12 bytes a posting; by default the system's.
    memory : int, optional
        CIFF: bytes of postings to hold before that file is used; by default 128 MiB.

    Returns
    -------
    VectorFile
        Vectors have the vocabulary's size as dimension where it is known before they are read: for CIFF, for columns,
        and for words that are not added. Else 2³², so that batches of a growing vocabulary can be joined.

    Raises
    ------
    SourceError
        At once where the path or a sidecar is missing; while iterating where the file is damaged, cut short or not
        what its format says.
    MalformedDocumentError
        While iterating, where one document is bad; names file and line or row.
    InvalidSettingError
        An unknown format, or a setting that is illegal or means nothing to the format.
    """
    path = Path(path)
    name = os.path.normpath(path)
    with reading(name):
        is_folder = path.is_dir()
        if not is_folder:
            path.stat()
    chosen = format_of(path) if format is None else format_named(format)
    refuse_settings(chosen, {"scale": scale, "scratch": scratch, "memory": memory}, "reading")
    if is_folder and not chosen.folder:
        raise SourceError(f"{name} is a folder, {chosen.name} is a single file", remedy="Name the file")
    if path.suffix.lower() in COMPRESSED and not chosen.compressed:
        raise SourceError(f"{name}: {chosen.name} cannot be read compressed", remedy="Decompress it first")
    if not isinstance(batch, int) or batch < 1:
        raise InvalidSettingError(f"batch is {batch!r}, it must be a whole number of 1 or more")
    if scale is not None and not is_scale(scale):
        raise InvalidSettingError(f"scale is {scale!r}, it must be a number within 2**-120 and 2**120")
    if unknown not in (None, "add", "stop", "skip"):
        raise InvalidSettingError(f"unknown is {unknown!r}", remedy="choose 'add', 'stop' or 'skip'")
    if words is None and unknown in ("stop", "skip"):
        raise InvalidSettingError(f"unknown={unknown!r} means nothing without a vocabulary", remedy="give words too")
    memory = check_memory(memory)
    terms, columns, id_file = _vocabulary(chosen, words), None, None
    if not chosen.words:
        id_file = _id_file(path, name, ids, number_rows)
        if sidecar(path, "words").is_file():
            columns = read_words(sidecar(path, "words"))
            terms = Vocabulary(columns) if terms is None else terms
    elif ids is not None or number_rows:
        raise InvalidSettingError(f"{chosen.name} has its ids in the file: neither ids nor number_rows mean anything")
    if unknown is None:
        unknown = "add" if words is None or hasattr(words, "intern") else "stop"
    folder = None if scratch is None else Path(scratch)
    if folder is not None and not folder.is_dir():
        raise InvalidSettingError(f"scratch is {folder}, which is no folder")
    task = ReadTask(path, name, terms, unknown, batch, columns, id_file, scale, folder, memory)
    return VectorFile(chosen, task)


def refuse_settings(format: Format, settings: dict[str, object], doing: str) -> None:
    """`InvalidSettingError` for a setting that is given though it means nothing to the format."""
    for name, value in settings.items():
        if value is not None and name not in format.settings:
            raise InvalidSettingError(f"{doing} {format.name} knows no {name}", remedy="leave it out")


def check_memory(memory: int | None) -> int:
    """The memory to use; `InvalidSettingError` where it is no whole number above 0."""
    if memory is None:
        return MEMORY
    if not isinstance(memory, int) or memory < 1:
        raise InvalidSettingError(f"memory is {memory!r}, it must be a whole number of bytes, 1 or more")
    return memory


def _vocabulary(format: Format, words: Sequence[str] | Terms | None) -> Terms | None:
    if words is None:
        return Vocabulary() if format.words else None
    return as_terms(words)


def _id_file(path: Path, name: str, ids: str | Path | None, number_rows: bool) -> Path | None:
    if number_rows:
        if ids is not None:
            raise InvalidSettingError("ids and number_rows exclude each other")
        return None
    file = sidecar(path, "ids") if ids is None else Path(ids)
    if not file.is_file():
        raise SourceError(
            f"{name} has no ids: {file} does not exist",
            remedy="name the text file with an id a line (ids), or have rows numbered from 0 (number_rows)",
        )
    return file
