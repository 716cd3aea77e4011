"""A sentence-embedding checkpoint as a teacher: mean or [CLS] pooling, cosine of the embeddings.

Knows a folder in sentence-transformers' or plain transformers' layout. Embeddings are computed once, as float16.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.text.wordpiece import WordPieceTokenizer
from lsr.training.data.prepared import VOCABULARY, PreparedData, splitting
from lsr.training.data.ragged import Ragged
from lsr.training.teachers.base import Cache, Say, Teacher
from lsr.training.teachers.networks import SentenceNetwork, check_checkpoint, identity, weights_digest


class DenseTeacher(Teacher):
    """Cosine similarity of sentence embeddings.

    Parameters
    ----------
    data : PreparedData
    name : str
    checkpoint : Path
        With `config.json`, weights and `tokenizer.json`; `1_Pooling/config.json` says how tokens are pooled (mean
        where it is absent).
    max_length : int
        Tokens of a text that are read, special ones included; fewer where the checkpoint has no positions for them.

    Raises
    ------
    TrainingDataError
        The checkpoint is not there, or what is in the cache is of other weights.
    """

    def __init__(self, data: PreparedData, name: str, checkpoint: Path, *, max_length: int) -> None:
        check_checkpoint(name, checkpoint)
        self.name = name
        self._data, self._checkpoint, self._max_length = data, checkpoint, max_length
        settings = {"kind": "dense", "max_length": max_length, **identity(checkpoint)}
        self._cache = Cache(data, name, settings, weights=weights_digest(checkpoint))
        self.key = self._cache.folder.name
        self._arrays: dict[str, NDArray[np.float16]] = {}

    def prepare(self, say: Say) -> None:
        todo = [kind for kind in ("queries", "documents") if kind not in self._cache]
        if not todo:
            return
        network = SentenceNetwork(self.name, self._checkpoint)
        for kind in todo:
            rows = self._inputs(kind, network.tokenizer, network.reads(self._max_length))
            say(f"teacher {self.name}: encoding {len(rows):,} {kind} on {network.device}")
            self._cache.save(kind, network.encode(rows))

    def embeddings(self, kind: str) -> NDArray[np.float16]:
        """float16 ndarray of shape (n, d), unit rows, mapped: of `queries` or `documents`."""
        if kind not in self._arrays:
            self._arrays[kind] = self._cache.load(kind)
        return self._arrays[kind]

    def scores(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        asked = self.embeddings("queries")[queries].astype(np.float32)
        pool = self.embeddings("documents")[documents].astype(np.float32)
        return asked @ pool.T

    def _inputs(self, kind: str, tokenizer: WordPieceTokenizer, length: int) -> Ragged:
        """Token ids between the teacher's special tokens, `length` with them."""
        rows: Ragged = getattr(self._data, kind)
        framed = tokenizer.inputs(["a"], 64)[0]
        inner = tokenizer.ids("a")
        lead = next(i for i in range(len(framed)) if framed[i : i + len(inner)] == inner)
        room = length - tokenizer.frame
        table = _same_spelling(self._data, self._checkpoint, tokenizer)
        if table is None:
            texts = self._data.texts(kind)
            step = 10_000
            parts = [
                Ragged.of(tokenizer.inputs(texts[start : start + step], length), np.int32)
                for start in range(0, len(texts), step)
            ]
            return Ragged.concat(parts)
        before, after = np.array(framed[:lead], np.int32), np.array(framed[lead + len(inner) :], np.int32)
        mapped: Any = (
            np.concatenate([before, table[np.asarray(rows[n][:room], np.int64)], after]) for n in range(len(rows))
        )
        return Ragged.of(mapped, np.int32)


def _same_spelling(data: PreparedData, checkpoint: Path, tokenizer: WordPieceTokenizer) -> NDArray[np.int32] | None:
    """int32 ndarray of shape (V,): the teacher's id of each of the student's tokens, where both split texts alike.

    That is so when every ordinary token of the student is one of the teacher's and both are uncased WordPiece: then
    tokens that are there need not be made again. None otherwise.
    """
    spellings = data.folder / VOCABULARY
    if not spellings.is_file():
        return None
    record = json.loads(spellings.read_text())
    if splitting(checkpoint / "tokenizer.json") != record["splitting"]:
        return None
    tokens: list[str] = record["tokens"]
    special = set(data.manifest.special_ids)
    table = np.zeros(len(tokens), np.int32)
    for number, token in enumerate(tokens):
        found = tokenizer.id(token)
        if found is None and number not in special:
            return None
        table[number] = 0 if found is None else found
    return table
