"""Exactness at size: 300 SciFact and 1,000 synthetic queries, in every way of searching, against brute force.

The property-based cases beside this look for corners; these look at vectors with the statistics of real ones, over
several segments and more than one superblock. `make exactness` asks every query in every combination of strategy,
threads, k, filter, order and split; by default the combinations share the queries among them.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from lsr.encoders.registry import CARRIED
from lsr.index.build import SegmentBuilder
from lsr.index.options import SearchOptions
from lsr.index.search import Queries, search_many, search_segments
from lsr.index.segment import Segment
from lsr.text.wordpiece import WordPieceTokenizer

ROOT = Path(__file__).parents[2]
SCIFACT = ROOT.parent / "shared" / "data" / "beir" / "scifact"
#: Every query in every combination.
WHOLE = bool(os.environ.get("LSR_EXACTNESS"))
#: Share of the documents that a filter allows.
FILTERS = (1.0, 0.5, 0.002)
WAYS = [
    (SearchOptions(strategy=strategy, threads=inside), outside)
    for strategy in ("auto", "scan", "prune")
    for inside, outside in ((1, 1), (1, 2), (2, 1))
]


class Case(NamedTuple):
    """Impacts of the documents (CSR), queries, and the numbers of documents that segments end at."""

    impacts: sp.csr_array
    queries: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]]
    splits: list[list[int]]


def check(case: Case, folder: Path) -> int:
    """Search in every way; the number of comparisons."""
    compared = 0
    for number, (borders, reorder) in enumerate(itertools.product(case.splits, (False, True))):
        segments = [
            segment(case.impacts[start:stop], start, folder / f"{number}-{start}.seg", reorder)
            for start, stop in itertools.pairwise([0, *borders, case.impacts.shape[0]])
        ]
        for share in FILTERS:
            allowed = np.random.default_rng(number).random(case.impacts.shape[0]) < share
            masks = [None if share == 1 else allowed[numbers(one)].astype(np.uint8) for one in segments]
            queries = case.queries if WHOLE else case.queries[number :: 3 if share == 1 else 12]
            compared += compare(case._replace(queries=queries), segments, masks, allowed)
        for one in segments:
            one.close()
    return compared


def segment(impacts: sp.csr_array, first: int, path: Path, reorder: bool) -> Segment:
    with SegmentBuilder(path, 1.0, reorder=reorder) as builder:
        ordinals = np.arange(first, first + impacts.shape[0])
        builder.add_impacts(
            impacts.indptr.astype(np.int64), impacts.indices.astype(np.uint32), impacts.data.astype(np.uint8), ordinals
        )
        builder.finish()
    return Segment(path)


def numbers(segment: Segment) -> NDArray[np.int64]:
    """Of its documents, by place."""
    return segment.ordinals.astype(np.int64) + segment.ordinal_base


def compare(
    case: Case, segments: Sequence[Segment], masks: list[NDArray[np.uint8] | None], allowed: NDArray[np.bool_]
) -> int:
    everything = case.impacts.shape[0] + 1
    best: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for first in range(0, len(case.queries), 100):
        best += truth(case.impacts, case.queries[first : first + 100], allowed)
    compared = 0
    for k, (options, threads) in itertools.product((1, 10, 100, 1000, everything), WAYS):
        # All hits of all queries would be gigabytes.
        count = 20 if k == everything else len(case.queries)
        asked = Queries.of(case.queries[:count])
        found = search_many(segments, masks, asked, k, options, threads)
        for top, (scores, ordinals) in zip(found, best[:count], strict=True):
            assert np.array_equal(top.scores, scores[:k]), (k, options, threads)
            assert np.array_equal(top.ordinals, ordinals[:k]), (k, options, threads)
            assert top.exact
        compared += count
    one = search_segments(segments, masks, *case.queries[0], 10)
    assert np.array_equal(one.ordinals, best[0][1][:10])
    return compared


def truth(
    impacts: sp.csr_array, queries: list[tuple[Any, Any]], allowed: NDArray[np.bool_]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Scores and numbers of every document that a query reaches, by score falling and number rising."""
    indptr = np.cumsum([0, *(len(terms) for terms, _ in queries)])
    terms = np.concatenate([terms for terms, _ in queries]).astype(np.int64)
    weights = np.concatenate([weights for _, weights in queries]).astype(np.int64)
    known = terms < impacts.shape[1]
    rows = np.repeat(np.arange(len(queries)), np.diff(indptr))[known]
    asked = sp.csr_array((weights[known], (rows, terms[known])), shape=(len(queries), impacts.shape[1]))
    scores = (asked @ impacts.T).toarray() * allowed
    found = []
    for row in scores:
        hit = np.flatnonzero(row)
        order = hit[np.lexsort((hit, -row[hit]))]
        found.append((row[order], order))
    return found


def test_synthetic_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """70,000 clustered documents of 120 terms, in one segment of two superblocks and in three; 500 SPLADE queries and
    500 inference-free ones, with the statistics of MS MARCO.
    """
    monkeypatch.syspath_prepend(str(ROOT / "index"))
    synthetic, collection = (importlib.import_module(f"bench_index.{name}") for name in ("synthetic", "collection"))
    opened = collection.open_collection(synthetic.write_synthetic("clustered", 70_000, queries=500, root=tmp_path))
    shape = (len(opened), collection.VOCABULARY)
    impacts = sp.csr_array((opened.impacts.astype(np.int64), opened.terms.astype(np.int64), opened.indptr), shape=shape)
    queries = [asked for kind in collection.KINDS for asked in opened.queries[kind].all_integers(levels=255)]
    assert len(queries) == 1000
    assert check(Case(impacts, queries, [[], [30_000, 30_001]]), tmp_path) > 10_000
    for name in [name for name in sys.modules if name.startswith("bench_index")]:
        del sys.modules[name]


@pytest.mark.skipif(not SCIFACT.is_dir(), reason="needs ../shared/data/beir/scifact")
def test_scifact_queries(tmp_path: Path) -> None:
    """Its 5,183 abstracts and 300 judged queries as word pieces: counts, and whole idf from 1 to 255."""
    tokenizer = WordPieceTokenizer.from_file(CARRIED / "splade-tiny" / "tokenizer.json")
    texts = [" ".join((row["title"], row["text"])) for row in rows(SCIFACT / "corpus.jsonl")]
    judged = {line.split("\t")[0] for line in (SCIFACT / "qrels" / "test.tsv").read_text().splitlines()[1:]}
    asked = [row["text"] for row in rows(SCIFACT / "queries.jsonl") if row["_id"] in judged]
    assert len(asked) == 300
    pieces = [np.unique(tokenizer.ids(text), return_counts=True) for text in texts]
    indptr = np.cumsum([0, *(len(terms) for terms, _ in pieces)])
    counts = np.minimum(np.concatenate([n for _, n in pieces]), 255)
    impacts = sp.csr_array((counts, np.concatenate([terms for terms, _ in pieces]), indptr), shape=(len(texts), 30522))
    df = np.bincount(impacts.indices, minlength=30522)
    weights = np.clip(np.rint(25 * np.log(len(texts) / np.maximum(df, 1))), 1, 255).astype(np.uint32)
    queries = [(terms := np.unique(tokenizer.ids(text)).astype(np.uint32), weights[terms]) for text in asked]
    nothing, unknown = np.zeros(0, np.uint32), np.array([30_600], np.uint32)
    queries += [(nothing, nothing), (unknown, np.array([255], np.uint32))]
    assert check(Case(impacts, queries, [[], [32, 32, 2000]]), tmp_path) > 3_000


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
