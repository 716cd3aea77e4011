"""Anserini's queries with impacts: id, tab, words separated by blanks, each repeated as often as it weighs.

Reading also takes a JSON object of words and weights in the place of the words. Weights are whole numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from lsr.errors import InvalidSettingError, InvalidVectorsError, MalformedDocumentError
from lsr.interchange.format import Batch, Format, ReadTask, WriteTask
from lsr.interchange.json_lines import add_vector, parse
from lsr.interchange.streams import files_of, numbered_lines, open_stream
from lsr.interchange.token_batch import TokenBatch
from lsr.interchange.vocabulary import flaw_of_line
from lsr.interchange.weights import quantised

#: Words a line may have, repetitions included; a line of more is taken for a mistake of scale.
_MAX_WORDS = 1 << 20


def _read(task: ReadTask) -> Iterator[Batch]:
    batch = TokenBatch(task)
    for path, name in files_of(task.path, task.name, FORMAT.suffixes):
        with open_stream(path, name) as stream:
            for number, line in numbered_lines(stream, name):
                if not line:
                    continue
                identity, tab, text = line.partition("\t")
                if not tab or "\t" in text:
                    reason = f"there must be one tab, between the id and the words: {line[:40]!r}"
                    raise MalformedDocumentError(name, number, reason)
                if text.startswith('{"') or text.strip() == "{}":
                    add_vector(batch, name, number, identity, parse(text, name, number))
                else:
                    counts = Counter(word for word in text.split(" ") if word)
                    batch.add(name, number, identity, list(counts), list(counts.values()))
                if batch.full:
                    yield batch.take()
    if len(batch):
        yield batch.take()


def _write(task: WriteTask, file: BinaryIO) -> float:
    if task.words is None:
        raise InvalidSettingError("queries of words need words")
    scale = 1.0
    for ids, vectors in task.batches:
        weights, scale = quantised(vectors, task.ceiling)
        if (weights != np.rint(weights)).any():
            fraction = weights[int(np.argmax(weights != np.rint(weights)))]
            raise InvalidVectorsError(
                f"a weight is {fraction}, repeated words can only say whole numbers",
                remedy="give a ceiling, to write 8-bit impacts",
            )
        words = task.words.of(vectors.terms)
        borders = vectors.indptr.tolist()
        for identity, start, stop in zip(ids, borders[:-1], borders[1:], strict=True):
            total = float(weights[start:stop].sum(dtype=np.float64))
            if total > _MAX_WORDS:
                raise InvalidVectorsError(f"the weights of {identity!r} add up to {total:.0f} repetitions of words")
            if flaw := "holds a tab" if "\t" in identity else flaw_of_line(identity):
                raise InvalidVectorsError(f"the id {identity!r} {flaw}")
            line = " ".join(_repeated(words[start:stop], weights[start:stop].astype(np.int64).tolist()))
            file.write(f"{identity}\t{line}\n".encode())
    return scale


def _repeated(words: list[str], counts: list[int]) -> Iterator[str]:
    for place, (word, count) in enumerate(zip(words, counts, strict=True)):
        if any(mark in word for mark in " \t\n\r") or (place == 0 and (word.startswith('{"') or word == "{}")):
            raise InvalidVectorsError(f"the word {word!r} cannot be told apart in a line of words")
        for _ in range(count):
            yield word


FORMAT = Format(
    name="anserini-tsv",
    description="Anserini's queries with impacts: id, tab, words repeated as often as they weigh",
    suffixes=(".tsv",),
    read=_read,
    write=_write,
    settings=frozenset({"ceiling"}),
)
