"""Rows to bytes and back, and the checksum that every row carries.

A vector is stored as (uint32 term, float32 weight) pairs: any number of rows joined are one array, decoded at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from lsr.vectors import SparseVectors

_PAIR = np.dtype([("term", "<u4"), ("weight", "<f4")])


def checksum(data: bytes, salt: int = 0) -> int:
    """Signed 64-bit xxh3 of `data`; `salt` binds it to a row, so that rows cannot be swapped unseen."""
    digest = xxhash.xxh3_64_intdigest(data, salt & 0xFFFFFFFFFFFFFFFF)
    return digest - (1 << 64) if digest >= 1 << 63 else digest


def matches(data: object, stored: object, salt: int = 0) -> bool:
    """True where `data`, as read from a row, is bytes with the checksum `stored`; damage may change its type too."""
    return isinstance(data, bytes) and checksum(data, salt) == stored


def text_checksum(*parts: str | bytes) -> int:
    """Checksum of several fields, each with its length before it."""
    fields = [part.encode() if isinstance(part, str) else part for part in parts]
    return checksum(b"".join(len(field).to_bytes(8, "little") + field for field in fields))


def encode_vectors(vectors: SparseVectors) -> list[bytes]:
    """One blob a row."""
    pairs = np.empty(vectors.nnz, _PAIR)
    pairs["term"] = vectors.terms
    pairs["weight"] = vectors.weights
    raw = pairs.tobytes()
    borders = (vectors.indptr * _PAIR.itemsize).tolist()
    return [raw[start:stop] for start, stop in itertools.pairwise(borders)]


def decode_vectors(blobs: Sequence[bytes], dim: int) -> SparseVectors:
    """The rows of `encode_vectors`, checked again as every batch of vectors is."""
    pairs = np.frombuffer(b"".join(blobs), _PAIR)
    indptr = np.zeros(len(blobs) + 1, np.int64)
    np.cumsum([len(blob) // _PAIR.itemsize for blob in blobs], out=indptr[1:])
    terms: NDArray[np.uint32] = np.ascontiguousarray(pairs["term"])
    weights: NDArray[np.float32] = np.ascontiguousarray(pairs["weight"])
    return SparseVectors(indptr, terms, weights, dim)
