"""PISA (wheel `pyterrier-pisa`): MaxScore and block-max WAND over SIMD-BP128 lists, quantised scores.

Its uncompressed index is written directly, then compressed by PISA. Queries go to its own retrieval function, which
repeats a term as often as its weight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer, Setting, columns


class Pisa(Peer):
    distribution = "pyterrier-pisa"
    note = "block_simdbp, quantized scorer"

    def build(self, collection: Collection, folder: Path) -> None:
        indptr, docs, impacts = columns(collection)
        present = [term for term in range(len(indptr) - 1) if indptr[term + 1] > indptr[term]]
        present.sort(key=str)  # its lexicon is in the order of strings
        lengths = [0] * len(collection)
        for first, borders, _, values in collection.chunks(100_000):
            sums = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
            lengths[first : first + len(borders) - 1] = np.diff(sums[borders]).tolist()
        with (folder / "inv.docs").open("wb") as docs_file, (folder / "inv.freqs").open("wb") as freqs_file:
            docs_file.write(np.array([1, len(collection)], np.uint32).tobytes())
            for term in present:
                row = slice(int(indptr[term]), int(indptr[term + 1]))
                count = np.array([row.stop - row.start], np.uint32).tobytes()
                docs_file.write(count + docs[row].astype(np.uint32).tobytes())
                freqs_file.write(count + impacts[row].astype(np.uint32).tobytes())
        (folder / "inv.sizes").write_bytes(np.array([len(lengths), *lengths], np.uint32).tobytes())
        (folder / "fwd.terms").write_text("".join(f"{term}\n" for term in present))
        (folder / "fwd.documents").write_text("".join(f"{number}\n" for number in range(len(collection))))
        from pyterrier_pisa import _pisathon

        _pisathon.build_binlex(str(folder / "fwd.documents"), str(folder / "fwd.doclex"))
        _pisathon.build_binlex(str(folder / "fwd.terms"), str(folder / "fwd.termlex"))
        self.open(folder, len(collection))  # compresses
        for name in ("inv.docs", "inv.freqs", "fwd.documents"):
            (folder / name).unlink()

    def open(self, folder: Path, documents: int) -> None:
        from pyterrier_pisa import _pisathon

        self.pisa = _pisathon
        self.context = _pisathon.RetrievalContext()
        _pisathon.prepare_index(self.context, str(folder), "block_simdbp", "quantized", "", quantize=0, stop_fname="")

    def settings(self, kind: str, k: int, *, full: bool) -> list[Setting]:
        names = ["maxscore", "block_max_wand"] + (["block_max_maxscore"] if full and k == 10 else [])
        return [(name, {"algorithm": name}) for name in names]

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        query = {str(t): float(w) for t, w in zip(terms.tolist(), weights.tolist(), strict=True)}
        out = {
            "result_qidxs": np.empty(k, np.int32),
            "result_docnos": np.empty(k, object),
            "result_ranks": np.empty(k, np.int32),
            "result_scores": np.empty(k, np.float32),
        }
        return setting["algorithm"], [(0, query)], k, out

    def search(self, query: Any) -> Any:
        algorithm, rows, k, out = query
        size = self.pisa.retrieve(
            self.context, algorithm, rows, k=k, threads=1, query_weighted=1, pretokenised=True, **out
        )
        return out["result_docnos"], size

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.array([int(name) for name in result[0][: result[1]]], np.int64)
