"""Any encoder of lsr as a teacher: dot products of its sparse vectors, computed once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.training.data.prepared import PreparedData
from lsr.training.teachers.base import Cache, Say, Teacher

#: Texts that are encoded at a time.
_STEP = 4096


class SparseTeacher(Teacher):
    """Dot products of a learned sparse encoder.

    Parameters
    ----------
    data : PreparedData
    name : str
    encoder : str
        Name or path, as `load_encoder` takes it.
    max_length : int
        Tokens of a text that it reads.
    """

    def __init__(self, data: PreparedData, name: str, encoder: str, *, max_length: int) -> None:
        from lsr.encoders.registry import load_encoder

        self.name = name
        self._data = data
        self._encoder = load_encoder(encoder, settings={"max_length": max_length})
        self._cache = Cache(data, name, {"kind": "sparse", "fingerprint": self._encoder.fingerprint})
        self._matrices: dict[str, Any] = {}

    def prepare(self, say: Say) -> None:
        from lsr.vectors import SparseVectors

        for kind, encode in (
            ("queries", self._encoder.encode_queries),
            ("documents", self._encoder.encode_documents),
        ):
            if f"{kind}.indptr" in self._cache:
                continue
            texts = self._data.texts(kind)
            say(f"teacher {self.name}: encoding {len(texts):,} {kind}")
            parts = [encode(texts[start : start + _STEP]) for start in range(0, len(texts), _STEP)]
            vectors = SparseVectors.concat(parts)
            self._cache.save(f"{kind}.terms", vectors.terms.astype(np.int32))
            self._cache.save(f"{kind}.weights", vectors.weights)
            self._cache.save(f"{kind}.indptr", vectors.indptr)

    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = (
            self._matrix("queries")[queries] @ self._matrix("documents")[documents].T
        ).toarray()
        return found

    def _matrix(self, kind: str) -> Any:
        import scipy.sparse

        if kind not in self._matrices:
            parts = tuple(self._cache.load(f"{kind}.{name}") for name in ("weights", "terms", "indptr"))
            self._matrices[kind] = scipy.sparse.csr_array(parts, shape=(len(parts[2]) - 1, self._encoder.dim))
        return self._matrices[kind]
