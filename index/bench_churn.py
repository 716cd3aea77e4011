"""`make bench-churn`: what a search costs after 30 % of the documents were replaced, against a freshly built index.

The replaced documents come in random batches, as an index that lives gets them; then the merges that are due are waited
for, but nothing is optimized. The fresh index holds the same documents, added and optimized. Both are asked the same
queries in turn; CPU time of this thread; the ratio of medians is what counts. Hits are compared too: the same. Writes
a dated table under index/results/ and prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from bench_rows import RESULTS, VOCABULARY, make_vectors

from lsr import Document, Index
from lsr.vectors import SparseVectors

QUERY_KINDS = {"SPLADE": 43, "inference-free": 8}


def add(index: Index, ids: list[int], vectors: SparseVectors) -> None:
    documents = [Document(str(id), "") for id in ids]
    index.add_vectors(documents, vectors, fingerprint=index.encoder.fingerprint, wait="committed")


def churned(folder: Path, documents: int, share: float) -> tuple[Index, SparseVectors]:
    """The index, and the vectors that its documents have in the end, by id."""
    rng = np.random.default_rng(3)
    index = Index.create(folder, encoder="splade-tiny")
    parts = []
    for first in range(0, documents, 5000):
        parts.append(make_vectors(rng, min(5000, documents - first), 130, 0.8))
        add(index, list(range(first, first + len(parts[-1]))), parts[-1])
    index.optimize()
    everything = SparseVectors.concat(parts)
    order = rng.permutation(documents)[: int(documents * share)]
    final = np.arange(documents)
    extra, start = [everything], 0
    while start < len(order):
        chosen = order[start : start + int(rng.integers(50, 1500))]
        new = make_vectors(rng, len(chosen), 130, 0.8)
        add(index, chosen.tolist(), new)
        final[chosen] = sum(len(part) for part in extra) + np.arange(len(chosen))
        extra.append(new)
        start += len(chosen)
    index.settle()
    index.refresh()
    return index, SparseVectors.concat(extra)[final]


def compare(old: Index, new: Index, terms: int, k: int, count: int) -> dict[str, float]:
    """Median CPU milliseconds of a search in both, asked in turn."""
    queries = make_vectors(np.random.default_rng(terms), count, terms, 1.0)
    times: dict[str, list[float]] = {"churned": [], "fresh": []}
    for number in range(-10, count):
        answers = []
        for name, index in (("churned", old), ("fresh", new)):
            began = time.thread_time()
            response = index.search(vector=queries[max(0, number)], fingerprint=index.encoder.fingerprint, k=k)
            if number >= 0:
                times[name].append((time.thread_time() - began) * 1e3)
            answers.append(sorted((hit.score, hit.id) for hit in response.hits))
        if [score for score, _ in answers[0]] != [score for score, _ in answers[1]]:
            raise RuntimeError(f"query {number}: the two indexes give different scores")
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{name: round(value, 3) for name, value in medians.items()},
        "ratio": medians["churned"] / medians["fresh"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="40,000 documents instead of 200,000")
    arguments = parser.parse_args()
    documents = 40_000 if arguments.quick else 200_000
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="lsr-bench-") as folder:
        old, vectors = churned(Path(folder) / "churned", documents, 0.3)
        with old, Index.create(Path(folder) / "fresh", encoder="splade-tiny") as new:
            for first in range(0, documents, 5000):
                last = min(first + 5000, documents)
                add(new, list(range(first, last)), vectors[np.arange(first, last)])
            new.optimize()
            info = old.info()
            found["segments"] = len(info.segments)
            found["deleted_share"] = round(sum(s.deleted for s in info.segments) / documents, 4)
            for kind, terms in QUERY_KINDS.items():
                for k in (10, 100):
                    found[f"{kind}, k = {k}"] = compare(old, new, terms, k, 100 if arguments.quick else 200)
    lines = [
        f"# Search after churn, {documents:,} documents, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"`make bench-churn{' QUICK=1' if arguments.quick else ''}` on {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, a shared machine; CPU time.",
        f"30 % of the documents replaced in random batches, merges settled: {found['segments']} segments, dead "
        f"documents {100 * found['deleted_share']:.1f} % of the live. Vocabulary {VOCABULARY:,}.",
        "",
        "| queries | after churn, ms | fresh, ms | ratio |",
        "|---|---|---|---|",
    ]
    for name, figures in found.items():
        if isinstance(figures, dict):
            lines.append(f"| {name} | {figures['churned']:.3f} | {figures['fresh']:.3f} | {figures['ratio']:.2f} |")
            figures["ratio"] = round(figures["ratio"], 3)
    (RESULTS / f"churn-{documents}-{datetime.now(UTC):%Y-%m-%d}.md").write_text("\n".join(lines) + "\n")
    print(json.dumps({"documents": documents, "replaced": 0.3, **found}))


if __name__ == "__main__":
    main()
