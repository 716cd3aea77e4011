"""Batches of random vectors, and what a file holds as one mapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from lsr.interchange import Batch, Terms
from lsr.vectors import SparseVectors

Rows = dict[str, dict[str, float]]

#: Words that text formats could stumble over, and ordinary ones.
WORDS = [
    "the",
    "##ing",
    "é",
    "a b",
    '{"',
    "{}",
    "日本",
    "x\ty",
    "line\nbreak",
    "'",
    '"',
    "\\",
    "\x85",
    "\u2028",
    "0",
    "-1",
]
PLAIN = ["the", "##ing", "é", "{", "日本", "'", '"', "\\", "0", "-1", "naïve", "zebra"]


def batches(rows: Rows, words: Sequence[str], size: int = 3) -> list[Batch]:
    """The rows as batches; term i is words[i]."""
    numbers = {word: number for number, word in enumerate(words)}
    items = list(rows.items())
    return [
        (
            [name for name, _ in part],
            SparseVectors.from_dicts([{numbers[w]: x for w, x in row.items()} for _, row in part], len(words)),
        )
        for part in (items[start : start + size] for start in range(0, len(items), size))
    ]


def as_rows(source: Iterable[Batch], words: Terms | Sequence[str]) -> Rows:
    """Id -> word -> weight of batches."""
    rows: Rows = {}
    for ids, vectors in source:
        assert len(ids) == len(vectors)
        for name, row in zip(ids, vectors.to_dicts(), strict=True):
            assert name not in rows
            names = words.words(list(row)) if hasattr(words, "words") else [words[term] for term in row]
            rows[name] = dict(zip(names, row.values(), strict=True))
    return rows


_ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
_line_ids = _ids.filter(lambda name: not set(name) & set("\t\r\n") and not name.startswith("\ufeff"))
floats = st.floats(2.0**-20, 2.0**20, width=32)
whole = st.integers(1, 300).map(float)


def rows_of(words: Sequence[str], weights: st.SearchStrategy[float], *, lines: bool = False) -> st.SearchStrategy[Rows]:
    """Up to eight documents over these words; `lines` for ids that a text file can hold."""
    row = st.dictionaries(st.sampled_from(list(words)), weights, max_size=6)
    return st.dictionaries(_line_ids if lines else _ids, row, max_size=8)


def some_rows(seed: int, documents: int, words: Sequence[str], terms: int) -> Rows:
    """Documents d0, d1, … of whole weights, 1 to 255."""
    rng = np.random.default_rng(seed)
    return {
        f"d{number}": {
            words[term]: float(rng.integers(1, 256))
            for term in rng.choice(len(words), int(rng.integers(0, terms)), replace=False).tolist()
        }
        for number in range(documents)
    }
