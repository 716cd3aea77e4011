"""Collections of a few lines, written in BEIR's layout for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

CORPUS = {
    "d1": "penguins swim in cold antarctic water",
    "d2": "a penguin is a bird that cannot fly",
    "d3": "bread is baked from flour and water",
    "d4": "sourdough bread needs a starter of flour",
    "d5": "the moon orbits the earth",
}
QUERIES = {
    "q1": "penguins that swim",
    "q2": "how to bake sourdough bread",
    "q3": "phases of the moon",
    "q-unjudged": "water",
}
QRELS = {"q1": {"d1": 2, "d2": 1}, "q2": {"d3": 1, "d4": 3}, "q3": {"d5": 1}}


def write_collection(
    folder: Path,
    corpus: Mapping[str, str] = CORPUS,
    queries: Mapping[str, str] = QUERIES,
    qrels: Mapping[str, Mapping[str, int]] = QRELS,
    *,
    split: str = "test",
) -> Path:
    """Write `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`; gives the folder back."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    write_lines(folder / "corpus.jsonl", [{"_id": i, "title": "", "text": text} for i, text in corpus.items()])
    write_lines(folder / "queries.jsonl", [{"_id": i, "text": text} for i, text in queries.items()])
    rows = [f"{query}\t{document}\t{grade}\n" for query, row in qrels.items() for document, grade in row.items()]
    (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return folder


def write_lines(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
