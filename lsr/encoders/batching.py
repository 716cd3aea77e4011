"""Token ids to a model in batches of similar length, and the rows back in order.

Knows lengths, padding and budgets; knows nothing of any model or runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lsr.errors import InvalidSettingError
from lsr.vectors import SparseVectors

#: Texts that are tokenised at a time: enough to put texts of one length together.
CHUNK = 4096

#: Input ids and attention mask, both int64 of shape (rows, longest), to one sparse row each.
Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], SparseVectors]


def batches_by_length(lengths: Sequence[int], budget: int, row_limit: int) -> Iterator[list[int]]:
    """Places of the texts in batches, longest texts first; texts of length 0 are in none.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each text.
    budget : int
        Most rows × longest length of a batch. A text that is longer makes a batch of its own.
    row_limit : int
        Most rows of a batch: the output of a model has a row of the whole vocabulary for each.
    """
    if budget < 1 or row_limit < 1:
        raise InvalidSettingError(f"a batch of {budget} tokens and {row_limit} rows holds nothing; both must be >= 1")
    order = sorted((place for place, length in enumerate(lengths) if length), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        rows = max(1, min(row_limit, budget // lengths[order[start]]))
        yield order[start : start + rows]
        start += rows


def encode_ahead(
    texts: Sequence[str],
    read: Callable[[Sequence[str]], list[list[int]]],
    encode: Callable[[list[list[int]]], SparseVectors],
    *,
    chunk: int = CHUNK,
) -> SparseVectors:
    """Tokenise the next `chunk` texts on a thread of its own while the model encodes the last: memory holds the tokens
    of two chunks, whatever the number of texts.

    Parameters
    ----------
    read : callable
        Texts to what the model reads of each; it must release the interpreter's lock to be worth it.
    encode : callable
        That to one row each, in order.
    """
    if len(texts) <= chunk:
        return encode(read(texts))
    parts = []
    with ThreadPoolExecutor(1, thread_name_prefix="lsr-tokenise") as pool:
        ahead = pool.submit(read, texts[:chunk])
        for start in range(chunk, len(texts) + chunk, chunk):
            inputs = ahead.result()
            if start < len(texts):
                ahead = pool.submit(read, texts[start : start + chunk])
            parts.append(encode(inputs))
    return SparseVectors.concat(parts)


def encode_in_batches(
    inputs: Sequence[Sequence[int]],
    forward: Forward,
    *,
    dim: int,
    pad_id: int,
    budget: int,
    row_limit: int = 64,
    threads: int = 1,
) -> SparseVectors:
    """One row for each of `inputs`, in their order; an empty input gives an empty row and is never forwarded.

    With several threads each forwards batches of its own: on a CPU that beats several threads in one batch.
    """
    lengths = [len(row) for row in inputs]

    def run(batch: list[int]) -> SparseVectors:
        ids = np.full((len(batch), lengths[batch[0]]), pad_id, np.int64)
        mask = np.zeros_like(ids)
        for row, place in enumerate(batch):
            ids[row, : lengths[place]] = inputs[place]
            mask[row, : lengths[place]] = 1
        return forward(ids, mask)

    batches = list(batches_by_length(lengths, budget, row_limit))
    if threads > 1 and len(batches) > 1:
        pool = ThreadPoolExecutor(min(threads, len(batches)), thread_name_prefix="lsr-encode")
        try:
            parts = list(pool.map(run, batches))
        finally:  # after Ctrl-C the batches that have not begun are not waited for
            pool.shutdown(cancel_futures=True)
    else:
        parts = [run(batch) for batch in batches]
    empty = [place for place, length in enumerate(lengths) if not length]
    places = [place for batch in batches for place in batch] + empty
    return SparseVectors.concat([*parts, SparseVectors.empty(len(empty), dim)])[np.argsort(np.array(places, np.int64))]
