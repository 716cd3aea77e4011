"""`make bench-ingest`: documents with ready vectors, against Milvus Lite and Qdrant Edge on the same rows in one run.

Batches of 5,000 documents of 120 terms, each batch durable before the next (a commit here, `flush` there). Rows are put
into each engine's own form before its clock starts. Ours includes the merges that are due, to their end. Time of the
clock and of the process's CPU; the ratios are what to compare. Writes a dated table under index/results/ and prints one
JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from bench_rows import RESULTS, make_vectors

from lsr import Document, Index
from lsr.vectors import SparseVectors

BATCH = 5000
#: Draws by a power law that leave 120 distinct terms a document.
DRAWS = 130

#: Takes a prepared batch; and whatever is left to do at the end.
Insert = Callable[[Any], None]


def batches(documents: int) -> Iterator[tuple[int, SparseVectors]]:
    rng = np.random.default_rng(7)
    for first in range(0, documents, BATCH):
        yield first, make_vectors(rng, min(BATCH, documents - first), DRAWS, 0.8)


def measure(
    documents: int, prepare: Callable[[int, SparseVectors], Any], insert: Insert, end: Callable[[], int]
) -> dict[str, float]:
    """Documents a second, and the slowest batch; `end` finishes and tells how many documents are there."""
    taken, slowest, cpu = 0.0, 0.0, 0.0
    for first, vectors in batches(documents):
        batch = prepare(first, vectors)
        began, used = time.perf_counter(), time.process_time()
        insert(batch)
        seconds = time.perf_counter() - began
        cpu += time.process_time() - used
        taken, slowest = taken + seconds, max(slowest, seconds)
    began, used = time.perf_counter(), time.process_time()
    held = end()
    taken += time.perf_counter() - began
    cpu += time.process_time() - used
    if held != documents:
        raise RuntimeError(f"{held} of {documents} documents arrived")
    return {
        "documents_per_s": round(documents / taken),
        "slowest_batch_ms": round(slowest * 1e3, 1),
        "documents_per_cpu_s": round(documents / cpu),
        "seconds": round(taken, 2),
    }


def ours(folder: Path, documents: int) -> dict[str, float]:
    with Index.create(folder / "lsr", encoder="splade-tiny") as index:
        fingerprint = index.encoder.fingerprint

        def prepare(first: int, vectors: SparseVectors) -> tuple[list[Document], SparseVectors]:
            return [Document(str(number), "") for number in range(first, first + len(vectors))], vectors

        def insert(batch: tuple[list[Document], SparseVectors]) -> None:
            index.add_vectors(*batch, fingerprint=fingerprint, wait="committed")

        def end() -> int:
            index.settle()
            index.refresh()
            return len(index)

        result = measure(documents, prepare, insert, end)
        merger = index._merger
        assert merger is not None
        return {**result, "merges": merger.merges, "longest_exchange_ms": round(merger.longest_exchange * 1e3, 1)}


def milvus(folder: Path, documents: int) -> dict[str, float]:
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(str(folder / "milvus.db"))
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
    params = client.prepare_index_params()
    params.add_index("vector", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_collection("c", schema=schema, index_params=params)

    def prepare(first: int, vectors: SparseVectors) -> list[dict[str, Any]]:
        return [{"id": first + number, "vector": row} for number, row in enumerate(vectors.to_dicts())]

    def insert(batch: list[dict[str, Any]]) -> None:
        client.insert("c", batch)
        client.flush("c")

    def end() -> int:
        return int(client.get_collection_stats("c")["row_count"])

    try:
        return measure(documents, prepare, insert, end)
    finally:
        client.close()


def qdrant(folder: Path, documents: int) -> dict[str, float]:
    import qdrant_edge as edge

    config = edge.EdgeConfig(vectors={}, sparse_vectors={"v": edge.EdgeSparseVectorParams(on_disk=True)})
    (folder / "qdrant").mkdir()
    shard = edge.EdgeShard.create(str(folder / "qdrant"), config)

    def prepare(first: int, vectors: SparseVectors) -> Any:
        points = []
        for number in range(len(vectors)):
            span = slice(*vectors.indptr[number : number + 2].tolist())
            sparse = edge.SparseVector(vectors.terms[span].tolist(), vectors.weights[span].tolist())
            points.append(edge.Point(first + number, {"v": sparse}))
        return edge.UpdateOperation.upsert_points(points)

    def insert(batch: Any) -> None:
        shard.update(batch)
        shard.flush()

    def end() -> int:
        return int(shard.count(edge.CountRequest(exact=True)))

    return measure(documents, prepare, insert, end)


ENGINES = {"lsr": ours, "Milvus Lite": milvus, "Qdrant Edge": qdrant}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="30,000 documents instead of 100,000")
    arguments = parser.parse_args()
    documents = 30_000 if arguments.quick else 100_000
    load = os.getloadavg()[0]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="lsr-bench-") as folder:
        warm = Path(folder) / "warm"
        warm.mkdir()
        ours(warm, 1000)  # kernels are compiled once an installation
        for name in ENGINES:
            try:
                found[name] = ENGINES[name](Path(folder), documents)
            except ImportError as error:
                found[name] = {"absent": str(error)}
            print(name, found[name], flush=True)
    rows = []
    for name, figures in found.items():
        if "absent" in figures:
            rows.append(f"| {name} | not installed | | | | |")
            continue
        for per in ("s", "cpu_s"):
            figures[f"lsr_is_times_per_{per}"] = round(
                found["lsr"][f"documents_per_{per}"] / figures[f"documents_per_{per}"], 2
            )
        rows.append(
            f"| {name} | {figures['documents_per_s']:,} | {figures['lsr_is_times_per_s']:.1f} "
            f"| {figures['documents_per_cpu_s']:,} | {figures['lsr_is_times_per_cpu_s']:.1f} "
            f"| {figures['slowest_batch_ms']:,.0f} |"
        )
    text = "\n".join(
        [
            f"# Ingest of ready vectors, {documents:,} documents, {datetime.now(UTC):%Y-%m-%d}",
            "",
            f"`make bench-ingest{' QUICK=1' if arguments.quick else ''}` on {os.cpu_count()} cores, "
            f"{platform.machine()}, Python {platform.python_version()}, a machine shared with others: its load was "
            f"{load:.0f} at the beginning, so times of the clock say little; CPU times say more.",
            "120 terms a document, batches of 5,000, each flushed to the device; the merges of lsr included.",
            "",
            "| engine | documents/s | lsr is × | documents per CPU second | lsr is × | slowest batch, ms |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    (RESULTS / f"ingest-{documents}-{datetime.now(UTC):%Y-%m-%d}.md").write_text(text)
    print(json.dumps({"documents": documents, "terms": 120, "batch": BATCH, "load": round(load, 1), **found}))


if __name__ == "__main__":
    main()
