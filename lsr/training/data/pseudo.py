"""Pseudo-queries: spans of documents as queries, some of them in the shape of questions.

Knows token ids and where words begin. What such a query should find, the teachers say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsr.text.wordpiece import WordPieceTokenizer
from lsr.training.data.ragged import Ragged
from lsr.training.recipe import PseudoQueries

#: How questions begin. Natural questions are scarce in most corpora, and a student should know what their words ask.
OPENERS = (
    "what is", "what are", "what is the", "what does", "what causes", "how to", "how do i", "how does", "how is",
    "how are", "how many", "why is", "why does", "why are", "when was", "when did", "where is", "where are",
    "who is", "who was", "which", "can", "is", "are", "does", "do", "is there", "what kind of", "how can i",
    "what is the difference between", "definition of", "meaning of", "example of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """Pseudo-queries: their tokens, and the document of each."""

    tokens: Ragged
    documents: NDArray[np.int32]


def make_pseudo_queries(documents: Ragged, tokenizer: WordPieceTokenizer, settings: PseudoQueries, seed: int) -> Made:
    """Spans that begin and end with words, `per_document` a document on average, drawn evenly over documents.

    Parameters
    ----------
    documents : Ragged
        Token ids.
    tokenizer : WordPieceTokenizer
        Of the documents; a token spelled with "##" continues a word.
    settings : PseudoQueries
    seed : int
        Equal seeds give equal queries.
    """
    rng = np.random.default_rng(seed)
    inside = np.array([token.startswith("##") for token in tokenizer.tokens(range(tokenizer.size))])
    openers = [tokenizer.ids(opener) for opener in OPENERS]
    wanted = round(len(documents) * settings.per_document)
    whole, rest = divmod(wanted, max(1, len(documents)))
    sources = np.sort(
        np.concatenate([np.tile(np.arange(len(documents)), whole), rng.permutation(len(documents))[:rest]])
    )
    rows, origins = [], []
    for number in sources.tolist():
        tokens = np.asarray(documents[number])
        starts = np.flatnonzero(~inside[tokens])
        if not len(starts):
            continue
        start = int(rng.choice(starts))
        length = int(rng.integers(settings.least, settings.most + 1))
        stop = min(start + length, len(tokens))
        while stop < len(tokens) and inside[tokens[stop]]:
            stop += 1
        span = tokens[start:stop].tolist()
        if rng.random() < settings.question_share:
            span = openers[int(rng.integers(len(openers)))] + span
        rows.append(span)
        origins.append(number)
    return Made(Ragged.of(rows, documents.values.dtype), np.array(origins, np.int32))


def spelled(tokens: list[str]) -> str:
    """Tokens as a text that the same tokenizer splits into them again, as a rule."""
    return " ".join(tokens).replace(" ##", "")
