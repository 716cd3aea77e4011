"""An index whose documents are reordered answers, explains, deletes and merges as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lsr import Document, Index
from lsr.index.options import SearchOptions, for_recall

WORDS = [f"w{number}" for number in range(60)]


def documents(count: int) -> list[Document]:
    rng = np.random.default_rng(2)
    topics = rng.integers(0, 6, count)
    return [
        Document(f"d{number}", " ".join(WORDS[topic * 10 + int(word)] for word in rng.integers(0, 10, 12)))
        for number, topic in enumerate(topics)
    ]


def answers(index: Index, **settings: Any) -> list[list[tuple[str, int, object]]]:
    queries = ["w1 w2 w13", "w25", "w41 w42 w43 w44", "w7 w59"]
    found = [index.search(query, k=20, explain=True, **settings).hits for query in queries]
    return [[(hit.id, hit.integer_score, hit.explanation) for hit in hits] for hits in found]


def test_hits_stay_as_they_are(tmp_path: Path) -> None:
    with Index.create(tmp_path / "one", encoder="bm25") as index:
        index.add(documents(3000))
        index.optimize()
        before = answers(index)
        index.optimize(reorder=True)
        with index.snapshot() as snapshot:
            assert [segment.reordered for segment in snapshot.segments] == [True]
            assert (np.diff(snapshot.segments[0].ordinals.astype(np.int64)) < 0).any()
        assert answers(index) == before
        assert answers(index, options=SearchOptions(strategy="prune", threads=2)) == before
        generation = index.generation
        index.optimize(reorder=True)  # there is nothing to do
        assert index.generation == generation

        gone = [f"d{number}" for number in range(0, 3000, 7)]
        assert index.delete(gone) == len(gone)
        living = [[hit[0] for hit in hits] for hits in answers(index)]
        assert not {id for hits in living for id in hits} & set(gone)
        index.optimize()
        assert [[hit[0] for hit in hits] for hits in answers(index)] == living


def test_an_approximate_answer_says_so(tmp_path: Path) -> None:
    with Index.create(tmp_path / "one", encoder="bm25") as index:
        index.add(documents(50))
        assert index.search("w1").exact
        assert index.search("w1").to_dict()["exact"] is True
        assert not index.search("w1", options=for_recall("99")).exact
