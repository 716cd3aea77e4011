"""Milvus Lite: a sparse inverted index in a process of its own; wall time, since the client only waits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, rows_as_dicts


class MilvusLite(Peer):
    distribution = "milvus-lite"
    clock = time.perf_counter
    clock_name = "wall"
    note = "SPARSE_INVERTED_INDEX, DAAT_MAXSCORE; wall time, it works in another process"

    def build(self, collection: Collection, folder: Path) -> None:
        from pymilvus import DataType, MilvusClient

        client = MilvusClient(str(folder / "all.db"))
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
        index = client.prepare_index_params()
        index.add_index(
            field_name="vector",
            index_type="SPARSE_INVERTED_INDEX",
            metric_type="IP",
            params={"inverted_index_algo": "DAAT_MAXSCORE"},
        )
        client.create_collection("all", schema=schema, index_params=index)
        batch: list[dict[str, Any]] = []
        for number, row in enumerate(rows_as_dicts(collection)):
            batch.append({"id": number, "vector": {int(t): float(i) for t, i in row.items()}})
            if len(batch) == 2000:
                client.insert("all", batch)
                batch = []
        if batch:
            client.insert("all", batch)
        client.flush("all")
        client.close()

    def open(self, folder: Path, documents: int) -> None:
        from pymilvus import MilvusClient

        self.client = MilvusClient(str(folder / "all.db"))
        self.client.load_collection("all")

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        return {int(t): float(w) for t, w in zip(terms.tolist(), weights.tolist(), strict=True)}, k

    def search(self, query: Any) -> Any:
        row, k = query
        return self.client.search("all", data=[row], anns_field="vector", limit=k, search_params={"metric_type": "IP"})

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.array([hit["id"] for hit in result[0]], np.int64)
