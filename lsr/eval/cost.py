"""What a system costs: time of a query, throughput, size of the index, work a query; measured in the run that measures
its quality.

Latency is taken one query at a time on one thread, text to ids, after all queries have been answered once (so kernels
are compiled, files cached). Wall time is what a user waits, and on a shared machine includes the neighbours; the mean
CPU time beside it does not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lsr.eval.systems.base import Searcher, System

#: Queries whose latency is taken at most; the seed that draws them; hits that are asked for.
LATENCY_QUERIES, LATENCY_SEED, LATENCY_K = 1_000, 42, 10


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one system on one collection; None where it does not apply or is not known.

    p50_ms, p95_ms, p99_ms, mean_ms : wall milliseconds a query, one thread, warm, `latency_k` hits
    cpu_ms : CPU milliseconds a query, mean, of the same
    queries_per_second : wall, batch of all queries with `threads` threads
    index_bytes, bytes_per_document : what a search reads
    terms_per_document, terms_per_query : means
    flops : see `Size`
    encode_documents_per_second : indexing as a whole, encoding included
    """

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    mean_ms: float | None = None
    cpu_ms: float | None = None
    latency_queries: int = 0
    latency_k: int = LATENCY_K
    queries_per_second: float | None = None
    threads: int = 1
    index_bytes: int | None = None
    bytes_per_document: float | None = None
    terms_per_document: float | None = None
    terms_per_query: float | None = None
    flops: float | None = None
    encode_documents_per_second: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Cost:
        """The cost that `to_dict` wrote; fields of another version are left out."""
        return cls(**{name: value for name, value in record.items() if name in cls.__slots__})


def measure_cost(system: System, queries: Sequence[str], *, threads: int = 1, k: int = LATENCY_K) -> Cost:
    """Take the cost of a system that has answered all queries before.

    Parameters
    ----------
    system : System
    queries : sequence of str
        Texts of the judged queries; blank ones are left out, and of more than 1,000 a seeded sample is timed singly.
    threads : int
        Of the throughput.
    k : int
        Hits a query.
    """
    asked = [query for query in queries if query.strip()]
    size = system.size(asked)
    found: dict[str, Any] = {
        "index_bytes": size.index_bytes,
        "flops": size.flops,
        "terms_per_query": size.query_terms,
        "latency_k": k,
        "threads": threads,
    }
    if size.documents:
        found["bytes_per_document"] = None if size.index_bytes is None else size.index_bytes / size.documents
        found["terms_per_document"] = None if size.postings is None else size.postings / size.documents
    if system.searcher is not None and asked:
        found |= _latency(system.searcher, asked, k)
        started = time.perf_counter()
        system.searcher.search_batch(asked, k=k, threads=threads)
        found["queries_per_second"] = len(asked) / (time.perf_counter() - started)
    return Cost(**found)


def _latency(searcher: Searcher, asked: Sequence[str], k: int) -> dict[str, Any]:
    if len(asked) > LATENCY_QUERIES:
        asked = random.Random(LATENCY_SEED).sample(list(asked), LATENCY_QUERIES)
    searcher.search_batch(asked[:20], k=k, threads=1)
    taken = []
    cpu = time.process_time()
    for query in asked:
        started = time.perf_counter()
        searcher.search_batch([query], k=k, threads=1)
        taken.append((time.perf_counter() - started) * 1000)
    cpu = time.process_time() - cpu
    p50, p95, p99 = np.percentile(taken, [50, 95, 99]).tolist()
    return {
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "mean_ms": float(np.mean(taken)),
        "cpu_ms": cpu * 1000 / len(asked),
        "latency_queries": len(asked),
    }
