"""The float oracle itself, against sums in plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsr.documents import Document
from lsr.engine.index import Index
from lsr.eval.oracle import FloatSearcher

TEXTS = [
    "red fish blue fish",
    "one fish two fish",
    "red red red",
    "blue sky",
    "nothing in common",
    "red fish blue fish",
]


def _by_hand(index: Index, query: str) -> list[tuple[str, float]]:
    row = index.query_weights([query])
    weights = dict(zip(row.terms.tolist(), row.weights.tolist(), strict=True))
    scores: dict[str, float] = {}
    for ids, vectors in index.vectors():
        for name, vector in zip(ids, vectors, strict=True):
            terms = dict(zip(vector.terms.tolist(), vector.weights.tolist(), strict=True))
            if shared := terms.keys() & weights.keys():
                scores[name] = sum(terms[term] * weights[term] for term in shared)
    return sorted(scores.items(), key=lambda hit: -hit[1])


def test_scores_are_sums_of_products_and_ties_follow_insertion(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add([Document(f"d{9 - i}", text) for i, text in enumerate(TEXTS)])
        searcher = FloatSearcher(index)
        queries = ["red fish", "blue", "unknown words", "fish fish sky"]
        answers = searcher.search_batch(queries, k=10)
        for query, hits in zip(queries, answers, strict=True):
            expected = _by_hand(index, query)
            assert [document for document, _ in hits] == [document for document, _ in expected]
            assert [score for _, score in hits] == pytest.approx([score for _, score in expected])
        assert [document for document, _ in answers[1]] == ["d6", "d9", "d4"]
        assert answers[2] == []
        assert searcher.search_batch(["red fish"], k=2)[0] == answers[0][:2]


def test_an_empty_index_answers_nothing(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        assert FloatSearcher(index).search_batch(["red", "blue"], k=3) == [[], []]
