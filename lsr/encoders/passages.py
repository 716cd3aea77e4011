"""Long documents by passages: each is encoded, and a document has for each term the maximum over its passages.

Wraps any encoder whose terms are a tokenizer's. Passages are windows of so many tokens that end at blanks; they follow
from the text alone, so that they need not be kept: `best_passage` finds anew the one that a hit was found for. Memory
holds the tokens of one stretch of text and the vectors of a few passages, whatever the size of a document.
Knows nothing of indexes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.base import Encoder, Span
from lsr.encoders.manifest import digest
from lsr.encoders.masked_lm import MaskedLmEncoder
from lsr.errors import EncoderError, InvalidSettingError
from lsr.vectors import SparseVectors

REVISION = 1
#: Passages that are encoded at a time.
_AT_ONCE = 256
#: Characters that are tokenised at a time.
_STRETCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` (inclusive) to `end` (exclusive) of a text, and its score for a query."""

    start: int
    end: int
    score: float


class PassageEncoder(Encoder):
    """An encoder that reads long texts whole, by passages.

    Parameters
    ----------
    encoder : MaskedLmEncoder
        Encodes each passage. A text that fits one passage has the vector that this gives it.
    passage_tokens : int
        Tokens of a passage, without special ones; at most what the encoder reads.
    passage_overlap : int, optional
        Tokens that a passage shares with the one before it; a quarter unless it is given.
    passage_limit : int, optional
        Most passages of a document that are read; all unless it is given.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        passage_tokens: int,
        passage_overlap: int | None = None,
        passage_limit: int | None = None,
    ) -> None:
        if not isinstance(encoder, MaskedLmEncoder) or encoder.max_length is None:
            raise EncoderError(
                f"{encoder.name} has no tokens to cut passages by", remedy="Leave the settings of passages away"
            )
        room = encoder.max_length - encoder.frame
        overlap = passage_tokens // 4 if passage_overlap is None else passage_overlap
        if not 1 <= passage_tokens <= room:
            raise InvalidSettingError(f"passage_tokens is {passage_tokens}, {encoder.name} reads 1 to {room} of a text")
        if not 0 <= overlap < passage_tokens:
            raise InvalidSettingError(f"passage_overlap is {overlap}, it must be within 0 and {passage_tokens - 1}")
        if passage_limit is not None and passage_limit < 1:
            raise InvalidSettingError(f"passage_limit is {passage_limit}, it must be 1 or more")
        self.inner = encoder
        self.name = encoder.name
        self.max_length = None
        self.lexical_queries = encoder.lexical_queries
        self._tokens, self._overlap, self._limit = passage_tokens, overlap, passage_limit

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        record = {"family": "passages", "revision": REVISION, "encoder": self.inner.fingerprint}
        return digest(record | {"tokens": self._tokens, "overlap": self._overlap, "limit": self._limit})

    @property
    def dim(self) -> int:
        return self.inner.dim

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        chosen: dict[str, str | int | float | bool | None] = {
            "passage_tokens": self._tokens,
            "passage_overlap": self._overlap,
        }
        if self._limit is not None:
            chosen["passage_limit"] = self._limit
        return {**self.inner.settings, **chosen}

    @property
    def idf(self) -> NDArray[np.float32] | None:
        return self.inner.idf

    @property
    def default_query_idf(self) -> str:
        return self.inner.default_query_idf

    # -- passages ---------------------------------------------------------------------------------------------------

    def passages(self, text: str) -> Iterator[tuple[int, int]]:
        """Character ranges of the passages of a text, in order; one that covers it where it fits."""
        for count, found in enumerate(self._windows(text), start=1):
            yield found
            if count == self._limit:
                return

    def _windows(self, text: str) -> Iterator[tuple[int, int]]:
        words = _words(self.inner, text)
        held: list[tuple[int, int, int]] = []  # (start, end, tokens) of the words of the window
        tokens, first, fresh = 0, True, False
        for word in words:
            if tokens + word[2] > self._tokens and held:
                yield (0 if first else held[0][0]), held[-1][1]
                first, fresh = False, False
                while held and (tokens > self._overlap or tokens + word[2] > self._tokens):
                    tokens -= held.pop(0)[2]
            held.append(word)
            tokens += word[2]
            fresh = True
        if first:
            yield 0, len(text)
        elif fresh:
            yield held[0][0], len(text)

    def best_passage(self, text: str, terms: NDArray[np.uint32], weights: NDArray[np.float32]) -> Passage:
        """The passage whose vector has the greatest product with a query, the earliest of equals.

        Parameters
        ----------
        terms, weights : ndarrays of shape (terms,)
            The query, terms ascending.
        """
        query = np.zeros(self.dim, np.float32)
        query[terms] = weights
        best = Passage(0, len(text), -1.0)
        for ranges, vectors in self._encoded(text):
            products = vectors.weights * query[vectors.terms]
            scores = np.bincount(vectors.row_numbers, products, minlength=len(vectors))
            place = int(np.argmax(scores))
            if scores[place] > best.score:
                best = Passage(*ranges[place], float(scores[place]))
        return best

    def _encoded(self, text: str) -> Iterator[tuple[list[tuple[int, int]], SparseVectors]]:
        """Ranges and vectors of the passages of one text, a few at a time."""
        ranges: list[tuple[int, int]] = []
        for found in self.passages(text):
            ranges.append(found)
            if len(ranges) == _AT_ONCE:
                yield ranges, self.inner.encode_documents([text[start:end] for start, end in ranges])
                ranges = []
        if ranges:
            yield ranges, self.inner.encode_documents([text[start:end] for start, end in ranges])

    # -- encoding -------------------------------------------------------------------------------------------------

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        """One row a text: of each term the maximum over the passages."""
        parts: list[SparseVectors] = []
        rows: list[int] = []
        pieces: list[str] = []
        for row, text in enumerate(texts):
            for start, end in self.passages(text):
                rows.append(row)
                pieces.append(text[start:end])
                if len(pieces) == _AT_ONCE:
                    self._take(parts, rows, pieces)
        self._take(parts, rows, pieces)
        found = parts[0] if parts else SparseVectors.empty(0, self.dim)
        missing = SparseVectors.empty(len(texts) - len(found), self.dim)
        return SparseVectors.concat([found, missing])

    def _take(self, parts: list[SparseVectors], rows: list[int], pieces: list[str]) -> None:
        """Encode the pieces and join them with what `parts` holds, the rows from 0 to the last that was met."""
        if not pieces:
            return
        vectors = self.inner.encode_documents(pieces)
        before = parts[0] if parts else SparseVectors.empty(0, self.dim)
        numbers = np.concatenate([before.row_numbers, np.array(rows, np.int64)[vectors.row_numbers]])
        terms = np.concatenate([before.terms, vectors.terms]).astype(np.int64)
        weights = np.concatenate([before.weights, vectors.weights])
        count = max(len(before), rows[-1] + 1)
        parts[:] = [_maxima(numbers, terms, weights, count, self.dim)]
        rows.clear()
        pieces.clear()

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        return self.inner.encode_queries(texts)

    def query_counts(self, texts: Sequence[str]) -> SparseVectors:
        return self.inner.query_counts(texts)

    def words(self, terms: Sequence[int]) -> list[str]:
        return self.inner.words(terms)

    def spans(self, text: str) -> list[Span]:
        return self.inner.spans(text)


def _maxima(
    rows: NDArray[np.int64], terms: NDArray[np.int64], weights: NDArray[np.float32], count: int, dim: int
) -> SparseVectors:
    order = np.lexsort((terms, rows))
    rows, terms, weights = rows[order], terms[order], weights[order]
    indptr = np.zeros(count + 1, np.int64)
    if not len(rows):
        return SparseVectors(indptr, np.zeros(0, np.uint32), weights, dim)
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]) | (terms[1:] != terms[:-1])
    starts = np.flatnonzero(new)
    np.cumsum(np.bincount(rows[starts], minlength=count), out=indptr[1:])
    return SparseVectors(indptr, terms[starts].astype(np.uint32), np.maximum.reduceat(weights, starts), dim)


def _words(encoder: MaskedLmEncoder, text: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, tokens) of each run of a text between blanks; runs longer than a stretch are cut."""
    begin = 0
    while begin < len(text):
        stop = min(len(text), begin + _STRETCH)
        if stop < len(text):  # whole words: back to a blank, where there is one
            blank = max(text.rfind(mark, begin, stop) for mark in " \t\n\r")
            stop = blank + 1 if blank > begin else stop
        places = encoder.token_places(text[begin:stop])
        start, end, tokens = -1, -1, 0
        for low, high in places:
            if tokens and text[begin + end : begin + low].isspace():
                yield begin + start, begin + end, tokens
                tokens = 0
            if not tokens:
                start = low
            end, tokens = high, tokens + 1
        if tokens:
            yield begin + start, begin + end, tokens
        begin = stop
