"""`SpladeEncoder`: any masked-LM checkpoint as a sparse encoder, by torch and transformers.

Knows settings, devices and batches; the files are `lsr.encoders.checkpoint`'s, the arithmetic `lsr.encoders.head`'s.
torch is loaded when the network first encodes: neither the fingerprint nor an inference-free query needs it.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.batching import encode_in_batches
from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.head import POOLINGS, SplitModel, pooled_weights
from lsr.encoders.idf import read_idf_table
from lsr.encoders.inference_free import InferenceFreeQueries
from lsr.encoders.manifest import digest
from lsr.encoders.masked_lm import MaskedLmEncoder
from lsr.encoders.onnx import BATCH_TOKENS, QUERIES
from lsr.errors import EncoderError, InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

#: Raised when the same files and settings give other vectors than before.
REVISION = 1


class SpladeEncoder(MaskedLmEncoder):
    """Documents by the network; queries by the network too, or by look-up.

    A text without any token gives an empty row, and special tokens weigh nothing unless they are asked for.

    Parameters
    ----------
    checkpoint : str
        A folder, or a hub id ("organisation/model"). Code that a checkpoint brings along is never run.
    pooling : "max", "sum" or None
        None: what the checkpoint says, else max.
    queries : "neural" or "inference-free"
        The latter: unique tokens × the checkpoint's `idf.json`, or × 1 where it has none; then an index weights them
        by its own document frequencies.
    max_length : int
        Tokens of a text that the network reads, special ones included. Queries by look-up are read whole.
    special_tokens : "drop" or "keep"
        Whether the dimensions of [CLS], [SEP] and their like are kept in what the network gives; sentence-transformers
        keeps them.
    device : str
        `auto` (CUDA where there is one), `cpu`, `cuda`, `cuda:1`, … No part of the fingerprint.
    batch_tokens : int, optional
        Most tokens of a batch, padding included; 1,024 for each of torch's threads on a CPU and 65,536 elsewhere
        unless it is given. No part of the fingerprint.

    Raises
    ------
    EncoderError
        No model, tokenizer or masked-language-model head in the checkpoint, or none at that name.
    InvalidSettingError
        A setting outside its legal values.
    MissingExtraError
        torch is not installed and queries need it; for documents it is raised when they are encoded.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        pooling: str | None = None,
        queries: str = "neural",
        max_length: int = 256,
        special_tokens: str = "drop",
        device: str = "auto",
        batch_tokens: int | None = None,
    ) -> None:
        self._checkpoint = found = Checkpoint.locate(checkpoint)
        for setting, value, legal in (
            ("pooling", pooling, (None, *POOLINGS)),
            ("queries", queries, QUERIES),
            ("special_tokens", special_tokens, ("drop", "keep")),
        ):
            if value not in legal:
                raise InvalidSettingError(f"{setting} is {value!r}, it must be one of {', '.join(map(str, legal))}")
        limit = found.positions
        if max_length < 3 or (limit is not None and max_length > limit):
            raise InvalidSettingError(f"max_length is {max_length}, {found.name} reads between 3 and {limit} tokens")
        if batch_tokens is not None and batch_tokens < 1:
            raise InvalidSettingError(f"batch_tokens is {batch_tokens}, it must be 1 or more")
        self.name = found.name
        self.max_length: int = max_length
        self.lexical_queries = queries == "inference-free"
        self._pooling = pooling or found.pooling or "max"
        if self._pooling not in POOLINGS:
            raise EncoderError(f"{found.name} pools by {self._pooling!r}", remedy="lsr pools by max or sum")
        self._settings: dict[str, str | int | float | bool | None] = {
            "pooling": self._pooling,
            "queries": queries,
            "max_length": max_length,
            "special_tokens": special_tokens,
        }
        self._drop_special = special_tokens == "drop"
        self._device = device
        self._batch_tokens = batch_tokens
        self._lock = threading.Lock()
        self._network: _Network | None = None
        if not self.lexical_queries:
            _require_torch(self.name)

    # -- what it is -----------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        record = {"family": "splade", "revision": REVISION, "checkpoint": self._checkpoint.digest()}
        return digest(record | {"settings": self._settings})

    @property
    def dim(self) -> int:
        return self._checkpoint.dim

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return dict(self._settings)

    @property
    def default_query_idf(self) -> str:
        return "collection" if self.lexical_queries and self._checkpoint.idf_file is None else "model"

    # -- encoding -------------------------------------------------------------------------------------------------

    def encode_documents(self, texts: Sequence[str]) -> SparseVectors:
        network = self._loaded_network()
        inputs = self._tokenizer.inputs(texts, self.max_length)
        on_cpu = network.device.type == "cpu"
        budget = self._batch_tokens or (network.threads * BATCH_TOKENS if on_cpu else 65536)
        # A row of output is as long as the vocabulary: few on a CPU, more where they are cheap.
        rows = 64 if on_cpu else 512
        return encode_in_batches(
            inputs, self._forward, dim=self.dim, pad_id=self._tokenizer.pad_id, budget=budget, row_limit=rows
        )

    # -- loaded when first used -----------------------------------------------------------------------------------

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer:
        return self._checkpoint.tokenizer()

    @cached_property
    def _lookup(self) -> InferenceFreeQueries:
        path = self._checkpoint.idf_file
        table = None if path is None else read_idf_table(path.read_bytes(), path, self._tokenizer, self.dim)
        return InferenceFreeQueries(self._tokenizer, self.dim, table)

    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
        network = self._loaded_network()
        dropped = [number for number in self._tokenizer.special_ids if number < self.dim] if self._drop_special else []
        return network.encode(ids, mask, self._pooling, dropped)

    def _loaded_network(self) -> _Network:
        with self._lock:
            if self._network is None:
                _require_torch(self.name)
                self._network = _Network(self._checkpoint, self._device)
            return self._network


class _Network:
    """The model on its device."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        import torch

        self.device = _device(device)
        self.threads = torch.get_num_threads()
        model = _load(checkpoint).to(self.device, torch.float32).eval()
        self._split = SplitModel(model)

    def encode(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64], pooling: str, dropped: list[int]
    ) -> SparseVectors:
        import torch

        with torch.inference_mode():
            tokens, real = torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
            states = self._split.states(tokens, real)
            weights = pooled_weights(states, real, self._split.weight, self._split.bias, pooling=pooling)
            weights[:, dropped] = 0
            if self.device.type != "cpu":  # only what is not 0 crosses the bus
                weights = weights.to_sparse()
            return SparseVectors.from_torch(weights)


def _load(checkpoint: Checkpoint) -> Any:
    from transformers import AutoModelForMaskedLM

    logging: Any = importlib.import_module("transformers.utils.logging")
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, report = AutoModelForMaskedLM.from_pretrained(
            checkpoint.folder, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise EncoderError(
            f"{checkpoint.name} cannot be loaded as a masked language model: {str(error).splitlines()[0]}",
            remedy="SPLADE needs a checkpoint that transformers loads as *ForMaskedLM",
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
    missing = sorted(report["missing_keys"])
    if missing:
        raise EncoderError(
            f"{checkpoint.name} lacks weights of its masked-language-model head or body: {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""),
            remedy="Use a checkpoint that was trained as *ForMaskedLM, with all of its files",
        )
    return model


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidSettingError(f"device is {name!r}, it must be auto, cpu, cuda or cuda:<number>") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InvalidSettingError(f"device is {name!r}, but torch finds no CUDA device here")
    return device


def _require_torch(name: str) -> None:
    if any(importlib.util.find_spec(module) is None for module in ("torch", "transformers")):
        raise MissingExtraError(f"the encoder {name}", "torch")
