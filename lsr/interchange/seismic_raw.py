"""Seismic's binary vectors, as `SeismicIndexRaw` takes them: a count of vectors, then for each a count of components,
the components, ascending, and their values; counts and components 32-bit unsigned, values 32-bit floats, little-endian.

Ids, and words where there are any, lie beside it (sidecars.py); Seismic itself answers with row numbers.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from lsr.errors import InvalidVectorsError, SourceError
from lsr.interchange.columns import Columns
from lsr.interchange.format import Batch, Format, ReadTask, WriteTask
from lsr.interchange.streams import open_stream

_COUNT = struct.Struct("<I")
#: Bytes asked of the file at once: no count is trusted.
_PIECE = 1 << 20


def _read(task: ReadTask) -> Iterator[Batch]:
    columns = Columns(task, None)
    with open_stream(task.path, task.name) as stream:
        total = _COUNT.unpack(_exactly(stream, _COUNT.size, task.name, "its count of vectors"))[0]
        for start in range(0, total, task.batch):
            components, values, indptr = [], [], [0]
            for row in range(start, min(start + task.batch, total)):
                what = f"vector {row} of {total}"
                (count,) = _COUNT.unpack(_exactly(stream, _COUNT.size, task.name, what))
                data = _exactly(stream, 8 * count, task.name, what)
                components.append(np.frombuffer(data, "<u4", count))
                values.append(np.frombuffer(data, "<f4", count, 4 * count))
                indptr.append(indptr[-1] + count)
            yield columns.batch(np.array(indptr, np.int64), np.concatenate(components), np.concatenate(values))
        if stream.read(1):
            raise SourceError(f"{task.name}: bytes follow after the {total} vectors that it says it has")
    columns.finish()


def _exactly(stream: io.BufferedReader, length: int, name: str, what: str) -> bytes:
    pieces = []
    missing = length
    while missing:
        piece = stream.read(min(missing, _PIECE))
        if not piece:
            raise SourceError(f"{name} is cut short: it ends {missing} bytes before the end of {what}")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _write(task: WriteTask, file: BinaryIO) -> float:
    start = file.tell()
    total = 0
    file.write(_COUNT.pack(0))
    for ids, vectors in task.batches:
        total += len(ids)
        if total >= 2**32:
            raise InvalidVectorsError("Seismic's count of vectors has 32 bits")
        terms, weights = vectors.terms.astype("<u4"), vectors.weights.astype("<f4")
        borders = vectors.indptr.tolist()
        pieces = []
        for first, last in pairwise(borders):
            pieces += [_COUNT.pack(last - first), terms[first:last].tobytes(), weights[first:last].tobytes()]
        file.write(b"".join(pieces))
    file.seek(start)
    file.write(_COUNT.pack(total))
    file.seek(0, io.SEEK_END)
    return 1.0


FORMAT = Format(
    name="seismic-raw",
    description="Seismic's binary vectors, with FILE.ids.txt (and FILE.words.txt) beside it",
    suffixes=(".bin",),
    read=_read,
    write=_write,
    words=False,
    compressed=False,
)
