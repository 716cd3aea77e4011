"""SciPy's CSR matrices as `scipy.sparse.save_npz` writes them, read and written with NumPy alone, row by row.

Ids, and words where there are any, lie beside the file (sidecars.py). A matrix may hold integers or floats; columns may
stand in any order in a row. Writing leaves the arrays uncompressed.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lsr.errors import SourceError
from lsr.interchange.columns import Columns
from lsr.interchange.format import Batch, Format, ReadTask, WriteTask
from lsr.sources.streams import reading
from lsr.vectors import MAX_DIM

_PIECE = 1 << 20
#: A fixed date, so that equal vectors give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class _Member:
    """An array of the archive, read from its start on. `length` is what its header says."""

    def __init__(self, archive: zipfile.ZipFile, name: str, source: str) -> None:
        self._name, self._source = name, source
        try:
            self._stream: IO[bytes] = archive.open(f"{name}.npy")
        except KeyError:
            raise SourceError(
                f"{source} holds no array {name!r}, so it is no matrix of scipy.sparse.save_npz",
                remedy="write it with scipy.sparse.save_npz(path, matrix.tocsr())",
            ) from None
        try:
            version = np.lib.format.read_magic(self._stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, self.dtype = read(self._stream)
        except (ValueError, EOFError) as error:
            raise SourceError(f"{source}: the header of the array {name!r} is damaged: {error}") from None
        if self.dtype.hasobject or len(shape) > 1:
            raise SourceError(f"{source}: the array {name!r} has dtype {self.dtype} and shape {shape}")
        self.length = shape[0] if shape else 1

    def numbers(self, kinds: str) -> _Member:
        """Itself, where its dtype is of these kinds."""
        if self.dtype.kind not in kinds or self.dtype.itemsize > 8:
            raise SourceError(f"{self._source}: the array {self._name!r} has dtype {self.dtype}, which is no weight")
        return self

    def text(self) -> str:
        """Its only value, a short string."""
        if self.dtype.kind not in "SU" or not 0 < self.dtype.itemsize <= 64:
            raise SourceError(f"{self._source}: the array {self._name!r} has dtype {self.dtype}, which is no string")
        value = self.take(1)[0].item()
        return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

    def take(self, count: int) -> NDArray[Any]:
        """The next `count` values."""
        pieces = []
        missing = count * self.dtype.itemsize
        while missing > 0:
            piece = self._stream.read(min(missing, _PIECE))
            if not piece:
                raise SourceError(f"{self._source} is cut short: the array {self._name!r} lacks {missing} bytes")
            pieces.append(piece)
            missing -= len(piece)
        return np.frombuffer(b"".join(pieces), self.dtype)

    def finish(self) -> None:
        """`SourceError` where anything is left; reading to the end also checks the archive's checksum."""
        if self._stream.read(1):
            raise SourceError(f"{self._source}: the array {self._name!r} is longer than the matrix has values")


def _read(task: ReadTask) -> Iterator[Batch]:
    with _archive(task) as archive:
        kind = _Member(archive, "format", task.name).text()
        if kind != "csr":
            raise SourceError(
                f"{task.name} holds a matrix in the layout {kind!r}", remedy="write matrix.tocsr() instead"
            )
        shape = _Member(archive, "shape", task.name).numbers("iu")
        if shape.length != 2:
            raise SourceError(f"{task.name} holds an array of {shape.length} axes, a matrix has 2")
        rows, width = (int(number) for number in shape.take(2))
        if rows < 0 or not 0 <= width <= MAX_DIM:
            raise SourceError(f"{task.name} has the shape {rows} × {width}; columns may be 0 to 2**32")
        indptr = _Member(archive, "indptr", task.name).numbers("iu")
        indices = _Member(archive, "indices", task.name).numbers("iu")
        data = _Member(archive, "data", task.name).numbers("iufb")
        if indptr.length != rows + 1 or indices.length != data.length:
            raise SourceError(
                f"{task.name} has {rows} rows, {indptr.length} row borders, {indices.length} columns and "
                f"{data.length} values, which do not fit together"
            )
        columns = Columns(task, width)
        last = indptr.take(1).astype(np.int64)
        if last[0] != 0:
            raise SourceError(f"{task.name}: the first row begins at {last[0]}, it must be 0")
        for start in range(0, rows, task.batch):
            borders = np.concatenate([last, indptr.take(min(task.batch, rows - start)).astype(np.int64)])
            if (np.diff(borders) < 0).any() or borders[-1] > data.length:
                raise SourceError(f"{task.name}: the row borders decrease or exceed {data.length} after row {start}")
            last = borders[-1:]
            count = int(borders[-1] - borders[0])
            yield columns.batch(borders - borders[0], indices.take(count), data.take(count))
        for member in (indptr, indices, data):
            member.finish()
    columns.finish()


@contextmanager
def _archive(task: ReadTask) -> Iterator[zipfile.ZipFile]:
    with reading(task.name):
        try:
            with zipfile.ZipFile(task.path) as archive:
                yield archive
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
            raise SourceError(
                f"{task.name} is not a sound .npz archive: {error}", remedy="write it or fetch it again"
            ) from None


def _write(task: WriteTask, file: BinaryIO) -> float:
    with ExitStack() as stack:
        indices, data, indptr = (
            stack.enter_context(tempfile.TemporaryFile(dir=task.folder)) for _ in ("indices", "data", "indptr")
        )
        rows = nonzeros = dim = 0
        indptr.write(np.zeros(1, "<i8").tobytes())
        highest = -1
        for _, vectors in task.batches:
            rows += len(vectors)
            indptr.write((vectors.indptr[1:] + nonzeros).astype("<i8").tobytes())
            nonzeros += vectors.nnz
            indices.write(vectors.terms.astype("<i8").tobytes())
            data.write(vectors.weights.astype("<f4").tobytes())
            dim = max(dim, vectors.dim)
            highest = max(highest, int(vectors.terms.max(initial=0)) if vectors.nnz else -1)
        width = len(task.words) if task.words is not None else dim
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            _store(archive, "indices", indices, "<i8", nonzeros)
            _store(archive, "indptr", indptr, "<i8", rows + 1)
            _store(archive, "data", data, "<f4", nonzeros)
            _store(archive, "format", io.BytesIO(b"csr"), "|S3", None)
            _store(archive, "shape", io.BytesIO(np.array([rows, width], "<i8").tobytes()), "<i8", 2)
    return 1.0


def _store(archive: zipfile.ZipFile, name: str, values: IO[bytes], dtype: str, length: int | None) -> None:
    shape = () if length is None else (length,)
    entry = zipfile.ZipInfo(f"{name}.npy", _DATE)
    with archive.open(entry, "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, {"descr": dtype, "fortran_order": False, "shape": shape})
        values.seek(0)
        shutil.copyfileobj(values, member, _PIECE)


FORMAT = Format(
    name="scipy",
    description="a CSR matrix of scipy.sparse.save_npz, with FILE.ids.txt (and FILE.words.txt) beside it",
    suffixes=(".npz",),
    read=_read,
    write=_write,
    words=False,
    compressed=False,
)
