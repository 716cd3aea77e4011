"""`OnnxEncoder`: a converted masked-LM encoder, run by onnxruntime without torch.

Knows the folder that `lsr.encoders.convert` writes. onnxruntime and the model are loaded when a text is first
encoded by the network, the tokenizer when it is first needed; the fingerprint needs neither.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.batching import encode_ahead, encode_in_batches
from lsr.encoders.idf import read_idf_table
from lsr.encoders.inference_free import InferenceFreeQueries
from lsr.encoders.manifest import IDF, MODELS, TOKENIZER, Manifest, digest
from lsr.encoders.masked_lm import MaskedLmEncoder, checked_prune
from lsr.errors import InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

#: Raised when the same files and settings give other vectors than before.
REVISION = 1
#: Small on purpose: a tile of the head's logits then fits a core's cache. On two cores, one batch a core, anything
#: from 256 to 1024 is within 3 % of 110 SciFact abstracts a second; more threads in fewer, larger batches gave 85.
BATCH_TOKENS = 1024
QUERIES = ("neural", "inference-free")


class OnnxEncoder(MaskedLmEncoder):
    """Documents by the network; queries by the network too, or by look-up.

    A text without any token (empty, blanks) gives an empty row. Special tokens, the unknown token among them, weigh
    nothing in documents and queries. Vectors depend neither on the batch nor on the number of threads beyond the
    last bits of a float.

    Parameters
    ----------
    folder : Path
        With `manifest.json`, a model, `tokenizer.json` and perhaps `idf.json`. Each file is compared with its
        hash in the manifest when it is loaded (CorruptionError).
    name : str, optional
        Name in the registry, which then also says `queries`; the folder's path without it.
    queries : "neural" or "inference-free", optional
        The latter: unique tokens × `idf.json`, or × 1 where the folder has none; then an index weights them by its
        own document frequencies. Unless it is given, inference-free where the folder has an `idf.json`: no other model
        is exported with one.
    max_length : int, optional
        Tokens of a text that the network reads, special ones included; the manifest's (256) unless it is given.
        Queries by look-up are read whole.
    prune : float, optional
        See `MaskedLmEncoder`; the manifest's unless it is given.
    precision : "float32", "float16" or "int8", optional
        float16: the weights are stored in 16 bits, the arithmetic is the same. int8: the head of the network, and a
        wide body, in integers of 8 bits, faster and nearly as good. The first of them that the folder has, unless it
        is given.
    threads : int, optional
        Batches that are encoded at a time; one for each core that the process may use unless it is given. No part
        of the fingerprint.
    batch_tokens : int
        Most tokens of a batch, padding included. No part of the fingerprint.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        queries: str | None = None,
        max_length: int | None = None,
        prune: float | None = None,
        precision: str | None = None,
        threads: int | None = None,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self._folder = folder
        self._manifest = manifest = Manifest.read(folder)
        if queries is None:
            queries = "inference-free" if IDF in manifest.files else "neural"
        if queries not in QUERIES:
            raise InvalidSettingError(f"queries is {queries!r}, it must be one of {', '.join(QUERIES)}")
        length = manifest.max_length if max_length is None else max_length
        if not 3 <= length <= manifest.positions:
            raise InvalidSettingError(
                f"max_length is {length}, {manifest.name} reads between 3 and {manifest.positions} tokens"
            )
        if precision is None:
            precision = next((name for name, file in MODELS.items() if file in manifest.files), "float32")
        if precision not in MODELS:
            raise InvalidSettingError(f"precision is {precision!r}, it must be one of {', '.join(MODELS)}")
        if MODELS[precision] not in manifest.files:
            raise InvalidSettingError(
                f"precision is {precision!r}, but {folder} has no {MODELS[precision]}", remedy="Convert it again"
            )
        if threads is not None and threads < 1:
            raise InvalidSettingError(f"threads is {threads}, it must be 1 or more")
        if batch_tokens < 1:
            raise InvalidSettingError(f"batch_tokens is {batch_tokens}, it must be 1 or more")
        self.name = str(folder.resolve()) if name is None else name
        self.max_length: int = length
        self.prune = checked_prune(manifest.prune if prune is None else prune)
        self.lexical_queries = queries == "inference-free"
        self._settings: dict[str, str | int | float | bool | None] = {"max_length": length}
        if name is None:
            self._settings["queries"] = queries
        if self.prune or manifest.prune:
            self._settings["prune"] = self.prune
        if precision != "float32":
            self._settings["precision"] = precision
        self._model = MODELS[precision]
        self._queries = queries
        self._threads = threads or _cores()
        self._batch_tokens = batch_tokens
        self._lock = threading.Lock()
        self._session: Any = None

    # -- what it is -----------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        manifest, read = self._manifest, (self._model, TOKENIZER, IDF)
        record: dict[str, object] = {"prune": self.prune} if self.prune else {}
        return digest(
            record
            | {
                "family": "onnx",
                "revision": REVISION,
                "files": {name: manifest.files[name] for name in sorted(manifest.files) if name in read},
                "dim": manifest.dim,
                "pooling": manifest.pooling,
                "activation": manifest.activation,
                "max_length": self.max_length,
                "queries": self._queries,
            }
        )

    @property
    def dim(self) -> int:
        return self._manifest.dim

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return dict(self._settings)

    @property
    def default_query_idf(self) -> str:
        if not self.lexical_queries:
            return "model"
        return "min" if IDF in self._manifest.files else "collection"

    # -- encoding -------------------------------------------------------------------------------------------------

    def _encoded(self, texts: Sequence[str]) -> SparseVectors:
        def read(part: Sequence[str]) -> list[list[int]]:
            return self._tokenizer.inputs(part, self.max_length)

        def encode(inputs: list[list[int]]) -> SparseVectors:
            return encode_in_batches(
                inputs,
                self._forward,
                dim=self.dim,
                pad_id=self._tokenizer.pad_id,
                budget=self._batch_tokens,
                threads=self._threads,
            )

        return encode_ahead(texts, read, encode)

    # -- loaded when first used -----------------------------------------------------------------------------------

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer:
        data = self._manifest.load(self._folder, TOKENIZER)
        return WordPieceTokenizer.from_bytes(data, self._folder / TOKENIZER)

    @cached_property
    def _lookup(self) -> InferenceFreeQueries:
        table = None
        if IDF in self._manifest.files:
            data = self._manifest.load(self._folder, IDF)
            table = read_idf_table(data, self._folder / IDF, self._tokenizer, self.dim)
        return InferenceFreeQueries(self._tokenizer, self.dim, table)

    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
        weights = self._loaded_session().run(["weights"], {"input_ids": ids, "attention_mask": mask})[0]
        weights[:, list(self._tokenizer.special_ids)] = 0
        return SparseVectors.from_dense(weights)

    def _loaded_session(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(self._manifest.load(self._folder, self._model))
            return self._session


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel by batches, see lsr.encoders.batching
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; what matters is raised
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _cores() -> int:
    """Cores that this process may use; a container often has fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
