"""The real collections: corpora encoded by the carried encoder `splade-tiny`, and copies of them for scale.

`real`: n documents of the shuffled corpora, at most 256 terms each, one ceiling for all impacts. Encoded by
onnxruntime on CPUs, or by torch where a GPU is there; either way the vectors are kept, so it happens once.
`bootstrap`: any number of documents with the statistics of the real ones. The first copy of a real document is the
document; each further one exchanges 30 % of its terms for terms of a near neighbour (a document that shares its most
or second most characteristic term), and jitters impacts (log-normal, sigma 0.2). It is no collection that exists.

Queries: titles and questions (see texts), as `splade-tiny` encodes them, and as distinct tokens weighted by the idf of
the real collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.idf import inverse_document_frequency
from lsr.encoders.registry import CARRIED, load_encoder
from lsr.index.quantize import impact_ceiling, quantize_impacts
from lsr.text.wordpiece import WordPieceTokenizer

from . import real_kernels as kernels
from .collection import (
    VOCABULARY,
    Array,
    Collection,
    CollectionWriter,
    Queries,
    data_root,
    join_queries,
    open_collection,
)
from .texts import data_folder, document_texts, query_texts, shuffled

LIMIT = 256
SEED = 20261124
EXCHANGED, JITTER = 0.3, 0.2

#: One query: (terms, weights) by the encoder, and its distinct tokens.
TwoForms = tuple[tuple[Array, Array], Array]


def write_real(documents: int, *, device: str = "cpu", root: Path | None = None) -> Path:
    """The folder of the first `documents` of the shuffled corpora, encoded where it is not there yet.

    Parameters
    ----------
    device : "cpu" or "cuda"
        onnxruntime on all cores (about 100 abstracts or 600 package summaries a second and core), or torch.
    """
    target = (root or data_root()) / f"real-{documents}"
    if (target / "meta.json").exists():
        return target
    data = data_folder()
    count = sum(1 for _ in document_texts(data))
    chosen = shuffled(count)[:documents]
    wanted = np.zeros(count, bool)
    wanted[chosen] = True
    texts = (text for text, want in zip(document_texts(data), wanted, strict=True) if want)
    parts = list((_by_torch if device == "cuda" else _by_onnx)(texts, device))
    counts, terms, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    ceiling = impact_ceiling(float(weights.max()))
    # rows are in the order of the files: the row of document `chosen[i]` is its rank among the chosen
    return assemble("real", counts, terms, quantize_impacts(weights, ceiling), np.argsort(np.argsort(chosen)),
                    real_queries(data), root, ceiling=ceiling)  # fmt: skip


def assemble(
    name: str, counts: Array, terms: Array, impacts: Array, order: Array, queries: list[TwoForms],
    root: Path | None = None, *, ceiling: float,
) -> Path:  # fmt: skip
    """Write rows in another order; `queries` are pairs of a SPLADE query and its distinct tokens."""
    indptr = np.concatenate([[0], np.cumsum(counts.astype(np.int64))]).astype(np.int64)
    writer = CollectionWriter(name, np.concatenate([[0], np.cumsum(counts[order].astype(np.int64))]), root)
    step = 100_000
    for first in range(0, len(order), step):
        rows = order[first : first + step]
        size = int(counts[rows].sum(dtype=np.int64))
        piece = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
        kernels.gather(indptr, terms, impacts, rows, *piece)
        writer.put(first, *piece)
    frequencies = np.bincount(terms, minlength=VOCABULARY)
    idf = inverse_document_frequency(frequencies, len(order))
    kept = [(splade, tokens) for splade, tokens in queries if len(splade[0]) and len(tokens)]
    writer.queries("splade", join_queries([splade for splade, _ in kept]))
    writer.queries("free", join_queries([(tokens, idf[tokens]) for _, tokens in kept]))
    return writer.finish(synthetic=False, encoder="splade-tiny", ceiling=ceiling, limit=LIMIT)


def real_queries(data: Path) -> list[TwoForms]:
    """For each query its (terms, weights) by the encoder, and its distinct tokens without special ones."""
    texts = query_texts(data)
    vectors = load_encoder("splade-tiny").encode_queries(texts)
    tokenizer = WordPieceTokenizer.from_file(CARRIED / "splade-tiny" / "tokenizer.json")
    special = set(tokenizer.special_ids)
    tokens = [np.array(sorted(set(tokenizer.ids(text)) - special), np.int64) for text in texts]
    return [((row.terms, row.weights), distinct) for row, distinct in zip(vectors, tokens, strict=True)]


def write_bootstrap(documents: int, base: Collection, root: Path | None = None) -> Path:
    """A collection of `documents` varied copies of the documents of `base`, in random order; same queries."""
    target = (root or data_root()) / f"bootstrap-{documents}"
    if (target / "meta.json").exists():
        return target
    indptr, terms, impacts = base.indptr[:], base.terms[:], base.impacts[:]
    n = len(base)
    idf = inverse_document_frequency(base.frequencies(), n)
    leading = np.zeros((n, 3), np.uint16)
    kernels.leading_terms(indptr, terms, impacts, idf, leading)
    # two orders in which documents that share a characteristic term stand side by side
    chains = [_chain(leading[:, columns]) for columns in ((0, 1, 2), (1, 0, 2))]
    place = np.random.default_rng(SEED).permutation(documents)  # copy place // n of document place % n
    sources = (place % n).astype(np.int64)
    copies = place // n
    neighbours = np.full(documents, -1, np.int64)
    for copy in range(1, int(copies.max()) + 1):
        following, position = chains[copy % 2]
        mask = copies == copy
        neighbours[mask] = following[(position[sources[mask]] + (copy + 1) // 2) % n]
    lengths = np.diff(indptr)[sources]
    borders = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    writer = CollectionWriter("bootstrap", borders, root)
    step = 200_000
    for first in range(0, documents, step):
        last = min(first + step, documents)
        size = int(borders[last] - borders[first])
        piece = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
        kernels.vary(SEED, first, indptr, terms, impacts, sources[first:last], neighbours[first:last],
                     EXCHANGED, JITTER, *piece)  # fmt: skip
        writer.put(first, *piece)
        print(f"bootstrap: {last:,} of {documents:,} documents", flush=True)
    for kind, queries in base.queries.items():
        writer.queries(kind, Queries(queries.indptr[:], queries.terms[:], queries.weights[:]))
    return writer.finish(synthetic=False, base=base.folder.name, exchanged=EXCHANGED, jitter=JITTER)


def open_real(documents: int) -> Collection:
    return open_collection(write_real(documents))


def _chain(keys: NDArray[np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows in the order of their keys, and the place of each row in it."""
    order = np.lexsort(keys.T[::-1])
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return order, position


def _by_onnx(texts: Iterable[str], _: str) -> Iterator[tuple[Array, Array, Array]]:
    encoder = load_encoder("splade-tiny")
    remaining = iter(texts)
    done = 0
    while batch := list(islice(remaining, 5000)):
        vectors = encoder.encode_documents(batch)
        yield _heaviest(vectors.indptr, vectors.terms, vectors.weights)
        done += len(batch)
        print(f"real: {done:,} documents encoded", flush=True)


def _by_torch(texts: Iterable[str], device: str) -> Iterator[tuple[Array, Array, Array]]:
    import onnx
    import onnx.numpy_helper

    from . import encode_torch

    folder = CARRIED / "splade-tiny"
    tokenizer = WordPieceTokenizer.from_file(folder / "tokenizer.json")
    tensors = onnx.load(folder / "model.onnx").graph.initializer
    encoder = encode_torch.Encoder({t.name: onnx.numpy_helper.to_array(t) for t in tensors}, device)
    remaining = iter(texts)
    while batch := list(islice(remaining, 200_000)):
        rows = tokenizer.inputs(batch, LIMIT)
        lengths = np.array([len(row) for row in rows], np.int64)
        tokens = np.concatenate([np.array(row, np.uint16) for row in rows])
        parts = list(encode_torch.encode(encoder, tokens, lengths, limit=LIMIT))
        yield in_order(lengths, *(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def in_order(lengths: Array, counts: Array, terms: Array, values: Array) -> tuple[Array, Array, Array]:
    """Rows that stand in the order of `encode_torch.by_length` back in their own order, empty ones included."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    all_counts = np.zeros(len(lengths), np.int64)
    all_counts[order] = counts
    starts = np.zeros(len(lengths), np.int64)
    starts[order] = np.cumsum(counts.astype(np.int64)) - counts
    places = np.repeat(starts - (np.cumsum(all_counts) - all_counts), all_counts) + np.arange(int(all_counts.sum()))
    return all_counts, terms[places], values[places]


def _heaviest(indptr: Array, terms: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Counts, terms and weights with at most LIMIT terms a row."""
    counts = np.diff(indptr)
    keep = np.ones(len(terms), bool)
    for row in np.flatnonzero(counts > LIMIT):
        low, high = indptr[row], indptr[row + 1]
        keep[low + np.argpartition(-weights[low:high], LIMIT)[LIMIT:]] = False
    return np.minimum(counts, LIMIT), terms[keep].astype(np.uint16), weights[keep]
