"""Groups of texts that a model is calibrated on: samples of files, sentences joined to passages.

Knows sources. Knows no model. Light to import: no torch.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from lsr.errors import InvalidSettingError

#: Fields of a record that may hold the text: of documents, of training pairs.
FIELD = "text|pos"


def sampled_texts(
    path: Path, *, sample: int | None = None, field: str = FIELD, words: int = 0, seed: int = 0
) -> list[str]:
    """Different texts of a file, in its order.

    Parameters
    ----------
    path : Path
        Whatever `lsr index` reads; a title goes before its text.
    sample : int, optional
        So many, drawn at random; all of them by default, or where there are fewer.
    field : str
        Where the text is; `a|b` is the first that a record has.
    words : int
        Above 0, the file's texts are consecutive sentences, and are joined to passages of at least so many words; what
        is left at the end is dropped.
    seed : int

    Raises
    ------
    InvalidSettingError
        `sample` is below 1, or `words` below 0.
    SourceError
        The file is not there, holds no text, or cannot be read.
    """
    from lsr.sources import Fields, read_documents

    if (sample is not None and sample < 1) or words < 0:
        raise InvalidSettingError(f"sample is {sample} and words {words}, they must be 1 or more and 0 or more")
    read = (document.content for document in read_documents(str(path), fields=Fields(text=field)))
    texts = list(dict.fromkeys(text for text in read if text.strip()))
    if words:
        texts = list(_joined(texts, words))
    if sample is None or sample >= len(texts):
        return texts
    return [texts[place] for place in sorted(random.Random(seed).sample(range(len(texts)), sample))]


def _joined(sentences: Iterable[str], words: int) -> Iterator[str]:
    passage: list[str] = []
    for sentence in sentences:
        passage += sentence.split()
        if len(passage) >= words:
            yield " ".join(passage)
            passage = []
