"""`NeuralEncoder`: any published checkpoint as a sparse encoder, by torch and transformers.

Knows settings, sides, devices and batches; what a folder says is `lsr.encoders.layouts`' to know, the arithmetic
`lsr.encoders.families`'. torch is loaded when a network first encodes: neither the fingerprint nor an inference-free
query needs it.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.batching import encode_ahead, encode_in_batches
from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families import FAMILIES, Network, Placing, Side, load_network
from lsr.encoders.families.base import POOLINGS, PRECISIONS
from lsr.encoders.idf import read_weight_table
from lsr.encoders.inference_free import InferenceFreeQueries
from lsr.encoders.layouts import Layout, LookUp, read_layout
from lsr.encoders.manifest import digest
from lsr.encoders.masked_lm import MaskedLmEncoder, checked_prune
from lsr.encoders.onnx import BATCH_TOKENS, QUERIES
from lsr.errors import EncoderError, InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

#: Raised when the same files and settings give other vectors than before.
REVISION = 1
#: Tokens of a text that are read where nothing else is said.
MAX_LENGTH = 256


class NeuralEncoder(MaskedLmEncoder):
    """Documents by a network; queries by the same, by another, or by look-up, as the checkpoint says.

    A text without any token gives an empty row, and special tokens weigh nothing, unless `special_tokens` says "keep".

    Parameters
    ----------
    checkpoint : str
        A folder, or a hub id ("organisation/model").
    family : str, optional
        Read a plain folder as this family ("sparta"); else the folder says what it is.
    pooling : "max", "sum", optional
    activation : "log1p_relu" or "log1p_log1p_relu", optional
        What the checkpoint says, else max and log1p_relu.
    queries : "neural" or "inference-free", optional
        The latter: unique tokens × the checkpoint's table, or × 1 where it has none; then an index weights them by its
        own document frequencies. What the checkpoint says unless it is given.
    max_length : int, optional
        Tokens of a text that the network reads, special ones included: what sentence-transformers recorded, else 256,
        never more than the model has positions. Queries by look-up are read whole.
    prune : float
        See `MaskedLmEncoder`.
    special_tokens : "drop" or "keep"
        keep: as sentence-transformers does, the dimensions of [CLS], [SEP] and their like are kept in what the network
        gives, and a text without any token is read as these alone.
    precision : "float32" or "bfloat16"
        Of the network's products; bfloat16 pays on a GPU, and on a CPU with AVX-512 BF16 or AMX.
    device : str
        `auto` (CUDA where there is one), `cpu`, `cuda`, `cuda:1`, … No part of the fingerprint.
    batch_tokens : int, optional
        Most tokens of a batch, padding included; 1,024 for each of torch's threads on a CPU and 65,536 elsewhere
        unless it is given. No part of the fingerprint.
    remote_code : str, optional
        The name of the model class that the checkpoint brings along, to let its code run. It is refused otherwise.

    Raises
    ------
    EncoderError
        No encoder that lsr can use in the checkpoint, or none at that name; or one with code of its own.
    InvalidSettingError
        A setting outside its legal values, or one that means nothing for this family.
    MissingExtraError
        torch is not installed and queries need it; for documents it is raised when they are encoded.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        family: str | None = None,
        pooling: str | None = None,
        activation: str | None = None,
        queries: str | None = None,
        max_length: int | None = None,
        prune: float = 0.0,
        special_tokens: str = "drop",
        precision: str = "float32",
        device: str = "auto",
        batch_tokens: int | None = None,
        remote_code: str | None = None,
    ) -> None:
        for setting, value, legal in (
            ("pooling", pooling, (None, *POOLINGS)),
            ("activation", activation, (None, "log1p_relu", "log1p_log1p_relu")),
            ("queries", queries, (None, *QUERIES)),
            ("special_tokens", special_tokens, ("drop", "keep")),
            ("precision", precision, PRECISIONS),
        ):
            if value not in legal:
                raise InvalidSettingError(f"{setting} is {value!r}, it must be one of {', '.join(map(str, legal))}")
        if batch_tokens is not None and batch_tokens < 1:
            raise InvalidSettingError(f"batch_tokens is {batch_tokens}, it must be 1 or more")
        self.layout = layout = read_layout(Checkpoint.locate(checkpoint), family=family)
        self.name = layout.checkpoint.name
        self._document = _with(layout.document, pooling, activation)
        self._query = self._query_side(layout, queries, pooling, activation)
        self.lexical_queries = isinstance(self._query, LookUp) and not self._query.repeats
        self.max_length: int = self._checked_length(max_length)
        self.prune = checked_prune(prune)
        self._keep = special_tokens == "keep"
        self._placing = Placing(device, precision, _allowed(self._document.checkpoint, remote_code))
        self._batch_tokens = batch_tokens
        self._lock = threading.Lock()
        self._networks: dict[str, Network] = {}
        self._settings: dict[str, str | int | float | bool | None] = {
            "queries": "inference-free" if isinstance(self._query, LookUp) else "neural",
            "max_length": self.max_length,
            "special_tokens": special_tokens,
        }
        if isinstance(self._document, Side) and self._document.family == "masked-lm":
            self._settings["pooling"] = str(self._document.options.get("pooling") or "max")
        extra = {"family": family, "activation": activation, "remote_code": remote_code}
        self._settings |= {name: value for name, value in extra.items() if value is not None}
        if precision != "float32":
            self._settings["precision"] = precision
        if self.prune:
            self._settings["prune"] = self.prune
        if isinstance(self._query, Side):
            _require_torch(self.name)

    def _query_side(
        self, layout: Layout, queries: str | None, pooling: str | None, activation: str | None
    ) -> Side | LookUp:
        query = layout.query
        if queries == "neural" and isinstance(query, LookUp) and isinstance(layout.document, Side):
            query = layout.document
        if queries == "inference-free" and not isinstance(query, LookUp):
            query = LookUp(layout.document.checkpoint, layout.checkpoint.idf_file)
        if query is None:
            query = layout.document
        return _with(query, pooling, activation)

    def _checked_length(self, length: int | None) -> int:
        found = self._document.checkpoint
        limit = found.positions if isinstance(self._document, Side) else None
        if length is None:
            length = self.layout.max_length or MAX_LENGTH
            return length if limit is None else min(length, limit)
        if length < 3 or (limit is not None and length > limit):
            raise InvalidSettingError(f"max_length is {length}, {found.name} reads between 3 and {limit} tokens")
        return length

    # -- what it is -----------------------------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        record = {"family": "splade", "revision": REVISION, "checkpoint": self._document.checkpoint.digest()}
        if self.layout.query is not None:
            record["query"] = _side_digest(self._query)
        if isinstance(self._document, LookUp) or self._document.family != "masked-lm":
            record["document"] = _side_digest(self._document)
        elif self._document.options.get("activation", "log1p_relu") != "log1p_relu":
            record["activation"] = str(self._document.options["activation"])
        return digest(record | {"settings": self._settings})

    @property
    def dim(self) -> int:
        return self._document.checkpoint.dim

    @property
    def settings(self) -> Mapping[str, str | int | float | bool | None]:
        return dict(self._settings)

    @property
    def default_query_idf(self) -> str:
        if not self.lexical_queries:
            return "model"
        return "collection" if self.idf is None else "min"

    @property
    def sides(self) -> tuple[Side | LookUp, Side | LookUp]:
        """How documents and how queries are encoded; the same object where there is no difference."""
        return self._document, self._document if self._query == self._document else self._query

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of the tokens that stand for no word."""
        return self._tokenizer.special_ids

    # -- encoding -------------------------------------------------------------------------------------------------

    def _encoded(self, texts: Sequence[str]) -> SparseVectors:
        if isinstance(self._document, LookUp):
            return _looked_up(self._document, self._tokenizer, self.dim).encode(texts)
        return self._encode(self._document, self._tokenizer, texts)

    def encode_queries(self, texts: Sequence[str]) -> SparseVectors:
        if isinstance(self._query, LookUp):
            return self._lookup.encode(texts)
        return self._encode(self._query, self._query_tokenizer, texts)

    def _encode(self, side: Side, tokenizer: WordPieceTokenizer, texts: Sequence[str]) -> SparseVectors:
        import torch

        network = self._loaded(side)
        frame = tokenizer.prefix + tokenizer.suffix
        dropped = [] if self._keep else [number for number in tokenizer.special_ids if number < self.dim]
        on_cpu = network.device.type == "cpu"
        budget = self._batch_tokens or (torch.get_num_threads() * BATCH_TOKENS if on_cpu else 65536)

        def read(part: Sequence[str]) -> list[list[int]]:
            inputs = network.inputs(tokenizer, [side.prompt + text for text in part], self.max_length)
            return [row or frame for row in inputs] if self._keep else inputs

        def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> SparseVectors:
            return network.encode(ids, mask, dropped)

        def encode(inputs: list[list[int]]) -> SparseVectors:
            # A row of output is as long as the vocabulary: few on a CPU, more where they are cheap.
            return encode_in_batches(
                inputs,
                forward,
                dim=self.dim,
                pad_id=tokenizer.pad_id,
                budget=budget,
                row_limit=64 if on_cpu else 512,
            )

        return encode_ahead(texts, read, encode)

    # -- loaded when first used -----------------------------------------------------------------------------------

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer:
        return self._document.checkpoint.tokenizer()

    @cached_property
    def _query_tokenizer(self) -> WordPieceTokenizer:
        same = self._query.checkpoint.tokenizer_files == self._document.checkpoint.tokenizer_files
        return self._tokenizer if same else self._query.checkpoint.tokenizer()

    @cached_property
    def _lookup(self) -> InferenceFreeQueries:
        if not isinstance(self._query, LookUp):
            return InferenceFreeQueries(self._query_tokenizer, self.dim)
        return _looked_up(self._query, self._query_tokenizer, self.dim)

    def _loaded(self, side: Side) -> Network:
        key = repr((side.family, str(side.checkpoint.folder), sorted(side.options.items(), key=str)))
        with self._lock:
            if key not in self._networks:
                _require_torch(self.name)
                found = load_network(side, self._placing)
                if found.dim != self.dim:
                    raise EncoderError(
                        f"{side.checkpoint.name} gives vectors of {found.dim} terms, not {self.dim}",
                        remedy="Query and document encoders must share one vocabulary",
                    )
                self._networks[key] = found
            return self._networks[key]


def _with(side: Side | LookUp, pooling: str | None, activation: str | None) -> Side | LookUp:
    """The side with what the user chose instead of what the checkpoint says."""
    chosen = {name: value for name, value in (("pooling", pooling), ("activation", activation)) if value is not None}
    if not isinstance(side, Side):
        return side
    if side.family not in FAMILIES:
        raise EncoderError(f"{side.checkpoint.name} is of the family {side.family!r}, which lsr does not know")
    if side.family != "masked-lm":
        fits = {"causal-lm": {"activation"}}.get(side.family, set())
        if set(chosen) - fits:
            raise InvalidSettingError(
                f"{side.checkpoint.name} is of the family {side.family}, it has no setting {min(set(chosen) - fits)}"
            )
    options = {**side.options, **chosen}
    if side.family == "masked-lm":
        for name, legal in (("pooling", POOLINGS), ("activation", ("log1p_relu", "log1p_log1p_relu"))):
            if options.get(name, legal[0]) not in legal:
                raise EncoderError(
                    f"{side.checkpoint.name} has the {name} {options[name]!r}", remedy=f"lsr reads {', '.join(legal)}"
                )
    return Side(side.family, side.checkpoint, options, side.prompt)


def _looked_up(side: LookUp, tokenizer: WordPieceTokenizer, dim: int) -> InferenceFreeQueries:
    table = None if side.table is None else read_weight_table(side.table, tokenizer, dim)
    return InferenceFreeQueries(tokenizer, dim, table, scale=side.scale, repeats=side.repeats, prompt=side.prompt)


def _side_digest(side: Side | LookUp) -> str:
    if isinstance(side, Side):
        record: dict[str, object] = {"family": side.family, "options": dict(side.options), "prompt": side.prompt}
        return digest(record | {"checkpoint": side.checkpoint.digest()})
    table = None if side.table is None else digest(side.table.read_bytes().hex())
    tokenizer = [digest(path.read_bytes().hex()) for path in side.checkpoint.tokenizer_files]
    return digest([table, tokenizer, side.scale, side.repeats, side.prompt])


def _allowed(checkpoint: Checkpoint, remote_code: str | None) -> str | None:
    """`remote_code` where it names what the checkpoint brings; raises where code of its own is not allowed."""
    brought = checkpoint.remote_code if (checkpoint.config_folder or checkpoint.folder) else {}
    names = sorted(set(brought.values()))
    if remote_code is not None and remote_code not in names:
        raise InvalidSettingError(
            f"remote_code is {remote_code!r}, but {checkpoint.name} brings {', '.join(names) or 'no code'}"
        )
    if names and remote_code is None:
        raise EncoderError(
            f"{checkpoint.name} brings code of its own ({', '.join(names)}), which would run here",
            remedy=f"If you trust it, say remote_code={names[0]}",
        )
    return remote_code


def _require_torch(name: str) -> None:
    if any(importlib.util.find_spec(module) is None for module in ("torch", "transformers")):
        raise MissingExtraError(f"the encoder {name}", "torch")
