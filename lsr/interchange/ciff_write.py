"""Batches of vectors to a CIFF file: rows to columns. What the file looks like, and how, is said in ciff.py."""

from __future__ import annotations

from array import array
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, InvalidVectorsError
from lsr.index.quantize import impact_ceiling
from lsr.interchange.ciff_read import VERSION
from lsr.interchange.format import WriteTask
from lsr.interchange.postings import encode_posting, encode_run, encoded_length
from lsr.interchange.spool import Spool
from lsr.interchange.weights import LEAST_CEILING, impacts, unit
from lsr.interchange.wire import MAX_INT32, PIECE, bytes_field, double_field, encode_varint, varint_field


def write_ciff(task: WriteTask, file: BinaryIO) -> float:
    """Write all of it; returns the weight of one unit of `tf`."""
    if task.words is None:
        raise InvalidSettingError("CIFF needs words")
    with Spool(np.float32, task.folder, task.memory) as spool:
        ids = array("Q", [0])
        text = bytearray()
        used: set[int] = set()
        whole, heaviest = True, 0.0
        for names, vectors in task.batches:
            start = len(ids) - 1
            if start + len(names) > MAX_INT32:
                raise InvalidVectorsError(f"CIFF numbers at most {MAX_INT32} documents")
            for name in names:
                text += name.encode()
                ids.append(len(text))
            if vectors.nnz:
                docs = (vectors.row_numbers + start).astype(np.uint32)
                spool.add(vectors.terms, docs, vectors.weights)
                used.update(np.unique(vectors.terms).tolist())
                whole = whole and bool((vectors.weights == np.rint(vectors.weights)).all())
                heaviest = max(heaviest, float(vectors.weights.max()))
        spool.finish()
        ceiling = task.ceiling
        if ceiling is None and used and not (whole and heaviest <= MAX_INT32):
            ceiling = max(impact_ceiling(heaviest), LEAST_CEILING)
        listed = np.array(sorted(used), np.uint32)
        named = sorted(zip((word.encode() for word in task.words.of(listed)), listed.tolist(), strict=True))
        if len(named) > MAX_INT32:
            raise InvalidVectorsError(f"CIFF holds at most {MAX_INT32} postings lists")
        total = sum(int(_integers(weights, ceiling).sum()) for _, _, weights in spool.runs())
        file.write(_header(len(named), len(ids) - 1, total, ceiling))
        lengths = np.zeros(len(ids) - 1, np.int64)
        for word, term in named:
            _, docs, weights = spool.between(term, term)
            tfs = _integers(weights, ceiling)
            lengths[docs] += tfs
            _write_list(file, word, docs, tfs)
        for number in range(len(ids) - 1):
            length = int(lengths[number])
            if length > MAX_INT32:
                raise InvalidVectorsError(f"the weights of document {number} add up to {length}, more than {MAX_INT32}")
            record = varint_field(1, number) + bytes_field(2, bytes(text[ids[number] : ids[number + 1]]))
            file.write(_delimited(record + varint_field(3, length)))
    return 1.0 if ceiling is None else unit(ceiling)


def _integers(weights: NDArray[np.float32], ceiling: float | None) -> NDArray[np.int64]:
    """int64 ndarray: what stands in the file for weights."""
    return weights.astype(np.int64) if ceiling is None else impacts(weights, ceiling).astype(np.int64)


def _header(lists: int, documents: int, total: int, ceiling: float | None) -> bytes:
    description = "Sparse vectors written by lsr: "
    if ceiling is None:
        description += "weights as they were"
    else:
        description += "impacts of 8 bits, " + f"weight = tf * {unit(ceiling)!r}"
    message = b"".join(
        varint_field(n, v) for n, v in enumerate((VERSION, lists, documents, lists, documents, total), 1)
    )
    message += double_field(7, total / documents if documents else 0.0)
    return _delimited(message + bytes_field(8, description.encode()))


def _write_list(file: BinaryIO, word: bytes, docs: NDArray[np.uint32], tfs: NDArray[np.int64]) -> None:
    """One list; documents ascend."""
    values = tfs.astype(np.uint32)
    gaps = np.diff(docs)
    first = encode_posting(int(docs[0]), int(values[0]))
    head = bytes_field(1, word) + varint_field(2, len(docs)) + varint_field(3, int(tfs.sum()))
    length = len(head) + len(first) + encoded_length(gaps, values[1:])
    if length > MAX_INT32:
        raise InvalidVectorsError(f"the postings list of {word.decode()!r} has {length} bytes, more than 2**31 - 1")
    file.write(encode_varint(length) + head + first)
    for start in range(0, len(gaps), PIECE):
        file.write(encode_run(gaps[start : start + PIECE], values[1 + start : 1 + start + PIECE]))


def _delimited(message: bytes) -> bytes:
    return encode_varint(len(message)) + message
