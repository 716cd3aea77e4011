"""`make bench`: the index against SciPy's sparse product, on the same vectors, in one process.

Both are exact. Data are synthetic, with the shape of SPLADE on MS MARCO (119 terms a document, queries of 43 and of 8
terms, term frequencies by a power law), seeded. Times are of this thread's CPU; the ratio of medians is what to
compare, the times themselves are those of a shared machine. Writes a dated table under index/results/ and prints one
JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lsr.index.build import write_segment
from lsr.index.quantize import impact_ceiling, quantize_query
from lsr.index.search import search_segments
from lsr.index.segment import Segment
from lsr.vectors import SparseVectors

VOCABULARY = 30522
TERMS_PER_DOCUMENT = 119
QUERY_KINDS = {"SPLADE": 43, "inference-free": 8}
RESULTS = Path(__file__).parent / "results"


def make_vectors(rng: np.random.Generator, rows: int, terms: int, skew: float) -> SparseVectors:
    """Rows of about `terms` distinct terms, drawn by a power law, gamma-distributed weights."""
    chances = 1 / np.arange(1, VOCABULARY + 1) ** skew
    drawn = rng.choice(VOCABULARY, size=(rows, terms), p=chances / chances.sum()).astype(np.uint32)
    drawn.sort(axis=1)
    keep = np.ones_like(drawn, bool)
    keep[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
    indptr = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int64)
    weights = rng.gamma(2.0, 0.4, int(keep.sum())).astype(np.float32) + np.float32(0.01)
    return SparseVectors(indptr, drawn[keep], weights, VOCABULARY)


def median_ms(call: Callable[[int], Any], count: int) -> float:
    """Median CPU time of this thread over `count` calls, in milliseconds, after a warm-up."""
    for number in range(min(5, count)):
        call(number)
    times = []
    for number in range(count):
        started = time.thread_time()
        call(number)
        times.append((time.thread_time() - started) * 1e3)
    return statistics.median(times)


def compare(segment: Segment, documents: SparseVectors, queries: SparseVectors, k: int) -> dict[str, float]:
    """Median latency of both on the same queries, and their ratio."""
    columns = documents.to_scipy().T.tocsr()
    rows = queries.to_scipy()
    prepared = [(row.terms, quantize_query(row.weights)[0]) for row in queries]

    def ours(number: int) -> None:
        search_segments([segment], [None], *prepared[number], k)

    def scipy(number: int) -> None:
        scores = (rows[[number]] @ columns).toarray()[0]
        best = np.argpartition(scores, -k)[-k:]
        best[np.argsort(-scores[best])]

    a, b = median_ms(ours, len(queries)), median_ms(scipy, min(len(queries), 50))
    return {"lsr_ms": a, "scipy_ms": b, "scipy_over_lsr": b / a}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 documents instead of 1,000,000")
    parser.add_argument("--documents", type=int, help="another number of documents")
    options = parser.parse_args()
    count = options.documents or (100_000 if options.quick else 1_000_000)
    rng = np.random.default_rng(7)
    parts = [
        make_vectors(rng, min(100_000, count - start), TERMS_PER_DOCUMENT, 0.75) for start in range(0, count, 100_000)
    ]
    documents = SparseVectors.concat(parts)
    del parts
    lines: list[str] = []
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.seg"
        write_segment(path, documents[:100], np.arange(100), impact_ceiling(float(documents.weights.max())))  # compiles
        started = time.perf_counter()
        file = write_segment(path, documents, np.arange(count), impact_ceiling(float(documents.weights.max())))
        build = time.perf_counter() - started
        segment = Segment(path)
        figures["build_seconds"] = round(build, 2)
        figures["bytes_per_document"] = round(file.bytes / count, 1)
        for kind, terms in QUERY_KINDS.items():
            queries = make_vectors(rng, 200, terms, 0.6)
            for k in (10, 1000):
                row = compare(segment, documents, queries, k)
                figures[f"{kind} k={k}"] = {name: round(value, 4) for name, value in row.items()}
                lines.append(
                    f"| {kind} | {k} | {row['lsr_ms']:.3f} | {row['scipy_ms']:.2f} | {row['scipy_over_lsr']:.1f} |"
                )
        segment.close()
    RESULTS.mkdir(exist_ok=True)
    today = datetime.now(UTC).date().isoformat()
    head = [
        f"# Index against SciPy, {count:,} synthetic documents, {today}",
        "",
        f"`make bench`; {_processor()}, Python {platform.python_version()}, one thread, median CPU ms a query.",
        f"Build {build:.2f} s ({count / build:,.0f} documents/s, vectors in memory), "
        f"{file.bytes / count:.0f} bytes a document.",
        "",
        "| queries | k | lsr | SciPy | SciPy / lsr |",
        "|---|---|---|---|---|",
    ]
    table = RESULTS / f"scipy-{count}-{today}.md"
    table.write_text("\n".join([*head, *lines]) + "\n")
    print("\n".join([*head, *lines]))
    print(json.dumps({"documents": count, **figures}))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
