"""`Source`: what a user names (a file, a folder, `-`) as a stream of documents that knows how far it is read.

Knows which reader reads what. Knows nothing of any format.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from lsr.documents import Document
from lsr.errors import InvalidSettingError, MalformedDocumentError, SourceError
from lsr.sources.delimited import read_csv, read_tsv
from lsr.sources.fields import Fields
from lsr.sources.json_array import read_json
from lsr.sources.jsonl import read_jsonl
from lsr.sources.parquet import read_parquet
from lsr.sources.report import ReadReport
from lsr.sources.streams import Progress, open_stream, reading
from lsr.sources.text_folder import COMPRESSED, TEXT, read_text_files, text_files

OnError = Literal["stop", "skip"]
Outcome = Document | MalformedDocumentError
Reader = Callable[[io.BufferedReader, str, Fields], Iterator[Outcome]]

#: Suffix -> reader of a stream. Each may also be followed by .gz or .zst.
STREAMED: dict[str, Reader] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
}
_PARQUET = (".parquet", ".pq")
_BEIR_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst")
_KNOWN = f"Known are {', '.join((*STREAMED, *_PARQUET, *TEXT))}, the text formats also with .gz or .zst"


class Source:
    """Documents of one source. Iterating reads it from its beginning (standard input: once).

    Parameters
    ----------
    source : str or Path
        A file (JSON Lines, a JSON array, CSV, TSV, Parquet, text, Markdown; all but Parquet also with gzip or zstd),
        a folder in BEIR's layout or of text files, a pipe with JSON Lines, or "-" for JSON Lines on standard input.
    fields : Fields
        Which field is what. Text files have none.
    on_error : "stop" or "skip"
        Whether the first malformed document ends the reading with an error or is counted and passed over.
        Damage after which nothing more can be read raises in either case.
    report : ReadReport, optional
        Counts what is read and skipped.

    Raises
    ------
    SourceError
        At once where the source is missing, empty, a folder without documents or of an unknown kind; while iterating
        where it holds no document, is damaged or cannot be read.
    MalformedDocumentError
        While iterating, with `on_error="stop"`.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        fields: Fields | None = None,
        on_error: OnError = "stop",
        report: ReadReport | None = None,
    ) -> None:
        if on_error not in ("stop", "skip"):
            raise InvalidSettingError(f"on_error is {on_error!r}", remedy="Choose 'stop' or 'skip'")
        self.name = "stdin" if str(source) == "-" else os.path.normpath(source)
        self.report = ReadReport() if report is None else report
        self._fields = Fields() if fields is None else fields
        self._on_error = on_error
        self._progress = Progress()
        self._size: int | None = None
        with reading(self.name):
            self._read = self._reader(None if str(source) == "-" else Path(source))

    @property
    def size(self) -> int | None:
        """Bytes of the source as it lies on disk; None where that is unknown (standard input, pipes)."""
        return self._size

    @property
    def position(self) -> int:
        """Bytes read so far, of `size`; in proportion to the rows for Parquet."""
        return self._progress.bytes

    def __iter__(self) -> Iterator[Document]:
        self._progress.bytes = 0
        empty = True
        for outcome in self._read():
            empty = False
            if isinstance(outcome, Document):
                self.report.read += 1
                yield outcome
            elif self._on_error == "stop":
                raise outcome
            else:
                self.report.skip(outcome)
        if empty:
            raise _empty(self.name)

    def _reader(self, path: Path | None) -> Callable[[], Iterator[Outcome]]:
        """How to read the source, once it is known to be there."""
        if path is None:
            return lambda: self._stream(None, self.name, read_jsonl)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return self._folder(path)
        if not stat.S_ISREG(status.st_mode):
            return lambda: self._stream(path, self.name, read_jsonl)
        if status.st_size == 0:
            raise _empty(self.name)
        return self._file(path, status.st_size)

    def _folder(self, path: Path) -> Callable[[], Iterator[Outcome]]:
        for name in _BEIR_CORPUS:
            corpus = path / name
            if corpus.is_file():
                self._size = corpus.stat().st_size
                return lambda: self._stream(corpus, os.path.normpath(corpus), read_jsonl)
        files = text_files(path)
        if not files:
            raise SourceError(
                f"the folder {self.name} holds neither a corpus.jsonl nor any file in {', '.join(TEXT)}",
                remedy="Name files of other formats one by one",
            )
        self._size = sum(file.lstat().st_size for file in files)
        return lambda: read_text_files(path, files, self.name, self._progress)

    def _file(self, path: Path, size: int) -> Callable[[], Iterator[Outcome]]:
        self._size = size
        suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
        compressed = bool(suffixes) and suffixes[-1] in COMPRESSED
        suffix = "".join(suffixes[:-1][-1:] if compressed else suffixes[-1:])
        if suffix in STREAMED:
            return lambda: self._stream(path, self.name, STREAMED[suffix])
        if suffix in TEXT:
            return lambda: read_text_files(path.parent, [path], self.name, self._progress)
        if suffix in _PARQUET and not compressed:
            return lambda: read_parquet(path, self.name, self._fields, self._progress)
        raise SourceError(f"{self.name}: what the suffix {path.suffix!r} stands for is unknown", remedy=_KNOWN)

    def _stream(self, path: Path | None, name: str, read: Reader) -> Iterator[Outcome]:
        with open_stream(path, name, self._progress) as stream:
            yield from read(stream, name, self._fields)


def read_documents(
    source: str | Path,
    *,
    fields: Fields | None = None,
    on_error: OnError = "stop",
    report: ReadReport | None = None,
) -> Iterator[Document]:
    """The documents of a source, one after the other; see `Source`. A missing source raises at once."""
    return iter(Source(source, fields=fields, on_error=on_error, report=report))


def _empty(name: str) -> SourceError:
    return SourceError(f"{name} is empty: it holds no document", remedy="Check that it is the file you mean")
