"""Texts of the real collection: documents of the corpora, and queries as people and titles ask.

Knows the files of the development data (../shared/data, or $LSR_DATA). Documents are shuffled once by a fixed seed, so
that the first n of them are a fair sample, and the order on disk holds no locality of the source.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEED = 20261124
CORPORA = ("package-summaries", "arxiv-200k")
#: Queries of each source. Judged collections give their questions alone; relevance is not looked at.
JUDGED = {"cosqa": 500, "nq-mini": 500, "scifact": 300, "covidqa": 300, "cranfield": 200}
TRAINING = {
    "stackexchange_title_body": 600,
    "arxiv_title_abstract": 500,
    "tech_docs_sections": 300,
    "tldr_commands": 300,
    "conala": 250,
    "debian_descriptions": 250,
}


def data_folder() -> Path:
    return Path(os.environ.get("LSR_DATA") or Path(__file__).parents[3] / "shared" / "data")


def document_texts(data: Path) -> Iterator[str]:
    """Title and text of each document, corpora one after the other in the files' order."""
    for name in CORPORA:
        with gzip.open(data / "corpora" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                yield f"{record['title']} {record['text']}".strip()


def shuffled(count: int) -> NDArray[np.int64]:
    """The order of the documents in the collection: places in the order of the files."""
    return np.random.default_rng(SEED).permutation(count)


def query_texts(data: Path) -> list[str]:
    """About 4,000 distinct queries in random order."""
    rng = np.random.default_rng(SEED)
    chosen: list[str] = []
    for name, count in JUDGED.items():
        lines = (data / "beir" / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        chosen += _some([json.loads(line)["text"] for line in lines], count, rng)
    for name, count in TRAINING.items():
        with gzip.open(data / "train" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as rows:
            chosen += _some([json.loads(row)["query"] for row in rows], count, rng)
    distinct = list(dict.fromkeys(text.strip() for text in chosen if text.strip()))
    return [distinct[place] for place in rng.permutation(len(distinct))]


def _some(texts: list[str], count: int, rng: np.random.Generator) -> list[str]:
    return [texts[place] for place in rng.permutation(len(texts))[:count]]
