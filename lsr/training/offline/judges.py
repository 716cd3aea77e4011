"""Judges: whoever scores (query, text) pairs, by a word on the command line.

Knows plain texts. Knows nothing of prepared data, of rows or of files; teachers of recipes are in
`lsr.training.teachers` and use the same networks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError, MissingExtraError, TrainingDataError

KINDS = ("bm25", "dense", "sparse", "cross-encoder")
#: Pairs, and texts, that are worked on at a time.
_STEP = 4096

#: What is being done, how much of it is done, and how much there is in all.
Moved = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge, as it was named.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    what : str
        Folder of a checkpoint; for sparse, any encoder of lsr. Empty for bm25.
    weight : float
        Share in an ensemble, before normalisation by the sum of weights.
    """

    kind: str
    what: str = ""
    weight: float = 1.0

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.kind}:{self.what}" if self.what else self.kind


def parse_judge(text: str) -> Judge:
    """`bm25`, `dense:FOLDER`, `sparse:ENCODER` or `cross-encoder:FOLDER`, each perhaps with `@WEIGHT` behind it.

    Raises
    ------
    InvalidSettingError
        Another kind, a missing checkpoint, or a weight that is not above 0.
    """
    rest, at, last = text.rpartition("@")
    weight = 1.0
    if at:
        try:
            weight = float(last)
        except ValueError:
            rest = text  # an @ of a path
    else:
        rest = text
    kind, _, what = rest.partition(":")
    if kind not in KINDS:
        raise InvalidSettingError(
            f"{text!r} names no teacher", remedy="It is bm25, dense:FOLDER, sparse:ENCODER or cross-encoder:FOLDER"
        )
    if bool(what) == (kind == "bm25"):
        wanted = "nothing behind it" if kind == "bm25" else "a checkpoint behind it"
        raise InvalidSettingError(f"{text!r}: {kind} has {wanted}", remedy="Write dense:path/to/folder, for example")
    if not 0 < weight < float("inf"):
        raise InvalidSettingError(f"{text!r}: the weight is {weight:g}, it must be above 0")
    return Judge(kind, what, weight)


class Scorer(ABC):
    """Scores pairs. What can be wrong with its checkpoint comes up when it is made."""

    @abstractmethod
    def scores(
        self, queries: Sequence[str], texts: Sequence[str], pairs: NDArray[np.int64], moved: Moved
    ) -> NDArray[np.float32]:
        """float32 ndarray of shape (n,): of `pairs`, int64 (n, 2), a number of a query and one of a text each."""


def make_scorer(judge: Judge, max_length: int) -> Scorer:
    """The scorer of a judge; texts are cut to `max_length` tokens (not by bm25)."""
    try:
        import scipy.sparse  # noqa: F401
    except ImportError:
        raise MissingExtraError("scoring pairs", "train") from None
    if judge.kind == "bm25":
        return _Lexical()
    if judge.kind == "sparse":
        return _Sparse(judge, max_length)
    return (DenseScorer if judge.kind == "dense" else _Cross)(judge, max_length)


class DenseScorer(Scorer):
    def __init__(self, judge: Judge, max_length: int) -> None:
        from lsr.training.teachers.networks import SentenceNetwork, check_checkpoint

        folder = Path(judge.what).expanduser()
        check_checkpoint(judge.name, folder)
        self._name, self._max_length = judge.name, max_length
        self._network = SentenceNetwork(judge.name, folder)

    def embeddings(self, texts: Sequence[str], moved: Moved) -> NDArray[np.float16]:
        """float16 ndarray of shape (n, d), unit rows."""
        label = f"{self._name}: encoding"
        return self._network.encode_texts(texts, self._max_length, lambda done: moved(label, done, len(texts)))

    def scores(
        self, queries: Sequence[str], texts: Sequence[str], pairs: NDArray[np.int64], moved: Moved
    ) -> NDArray[np.float32]:
        asked, pool = self.embeddings(queries, moved), self.embeddings(texts, moved)
        result = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), _STEP):
            part = pairs[start : start + _STEP]
            left, right = (side.astype(np.float32) for side in (asked[part[:, 0]], pool[part[:, 1]]))
            result[start : start + _STEP] = np.einsum("nd,nd->n", left, right)
        return result


class _Cross(Scorer):
    def __init__(self, judge: Judge, max_length: int) -> None:
        from lsr.training.teachers.networks import PairNetwork, check_checkpoint

        folder = Path(judge.what).expanduser()
        check_checkpoint(judge.name, folder)
        self._name = judge.name
        self._network = PairNetwork(judge.name, folder, max_length)

    def scores(
        self, queries: Sequence[str], texts: Sequence[str], pairs: NDArray[np.int64], moved: Moved
    ) -> NDArray[np.float32]:
        result = np.empty(len(pairs), np.float32)
        for start in range(0, len(pairs), _STEP):
            chosen = [(queries[q], texts[d]) for q, d in pairs[start : start + _STEP].tolist()]

            def further(done: int, start: int = start) -> None:
                moved(f"{self._name}: scoring", start + done, len(pairs))

            result[start : start + _STEP] = self._network.scores(chosen, further)
        return result


class _Sparse(Scorer):
    def __init__(self, judge: Judge, max_length: int) -> None:
        from lsr.encoders.registry import load_encoder

        if judge.what == "bm25":
            raise InvalidSettingError("sparse:bm25 is no learned encoder", remedy="Write bm25")
        self._name = judge.name
        self._encoder = load_encoder(judge.what, settings={"max_length": max_length})

    def scores(
        self, queries: Sequence[str], texts: Sequence[str], pairs: NDArray[np.int64], moved: Moved
    ) -> NDArray[np.float32]:
        sides = []
        for encode, found in ((self._encoder.encode_queries, queries), (self._encoder.encode_documents, texts)):
            parts = []
            for start in range(0, len(found), _STEP):
                parts.append(_matrix(encode(found[start : start + _STEP]), self._encoder.dim))
                moved(f"{self._name}: encoding", min(start + _STEP, len(found)), len(found))
            sides.append(_stacked(parts, self._encoder.dim))
        return _products(sides[0], sides[1], pairs)


class _Lexical(Scorer):
    """BM25 over the words of the English analyzer; its statistics are those of the texts at hand."""

    def scores(
        self, queries: Sequence[str], texts: Sequence[str], pairs: NDArray[np.int64], moved: Moved
    ) -> NDArray[np.float32]:
        from lsr.encoders.bm25 import BM25Encoder
        from lsr.encoders.idf import inverse_document_frequency
        from lsr.encoders.terms import InMemoryTerms

        terms = InMemoryTerms()
        encoder = BM25Encoder(terms)
        documents = encoder.encode_documents(list(texts))
        asked = encoder.encode_queries(list(queries))
        moved("bm25: counting words", len(texts), len(texts))
        size = max(len(terms), 1)
        lengths = np.add.reduceat(np.append(documents.weights, 0.0), documents.indptr[:-1]) if len(texts) else None
        lengths = np.zeros(0) if lengths is None else np.where(np.diff(documents.indptr) > 0, lengths, 0.0)
        average = max(float(lengths.mean()) if len(lengths) else 0.0, 1e-9)
        norm = encoder.k1 * (1 - encoder.b + encoder.b * lengths / average)
        rows = np.repeat(np.arange(len(texts)), np.diff(documents.indptr))
        idf = inverse_document_frequency(np.bincount(documents.terms, minlength=size), max(len(texts), 1))
        pool = _matrix(documents, size)
        pool.data = documents.weights / (documents.weights + norm[rows]) * idf[documents.terms]
        return _products(_matrix(asked, size), pool, pairs)


def _matrix(vectors: Any, dim: int) -> Any:
    import scipy.sparse

    parts = (vectors.weights.astype(np.float32), vectors.terms.astype(np.int64), vectors.indptr)
    return scipy.sparse.csr_array(parts, shape=(len(vectors), dim))


def _stacked(parts: list[Any], dim: int) -> Any:
    import scipy.sparse

    return scipy.sparse.vstack(parts, format="csr") if parts else scipy.sparse.csr_array((0, dim), dtype=np.float32)


def _products(asked: Any, pool: Any, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    result = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _STEP):
        part = pairs[start : start + _STEP]
        result[start : start + _STEP] = asked[part[:, 0]].multiply(pool[part[:, 1]]).sum(1)
    return result


def check_scores(judge: Judge, scores: NDArray[np.float32]) -> None:
    """TrainingDataError where a judge gave something that is no number."""
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        raise TrainingDataError(
            f"the teacher {judge.name} gave {bad:,} of {len(scores):,} pairs a score that is no number",
            remedy="Check its checkpoint",
        )
