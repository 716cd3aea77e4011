"""The graph of `lsr.encoders.onnx_graph` with the head in integers of 8 bits, and the embeddings stored so.

The head has ten times the arithmetic of splade-tiny's body, which stays float32; the maps of a wider body, whose
arithmetic counts, are in integers too, with a scale for each token. Weights of a term have one scale,
the states of a text another: max over positions then commutes with both, and is taken of the integers themselves.
Scales depend on the text alone, so that a vector does not depend on its batch, and sums are exact, so that it does not
depend on the machine: weights have 7 bits, with which the 16-bit sums of processors without VNNI cannot overflow
(2 · 255 · 63 < 2¹⁵).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.onnx_graph import TILE, WORDS, BertConfig, Builder

#: Greatest integers of weights and of states.
WEIGHT_LEVEL, STATE_LEVEL = 63, 127
#: Bodies up to this width stay float32: their arithmetic is little, and rounding hurts a narrow one more.
_NARROW = 256


def build_int8_graph(config: BertConfig, tensors: Mapping[str, NDArray[Any]], *, tile: int = TILE) -> bytes:
    """The serialised model; parameters and errors as of `build_graph`."""
    return _Int8Builder(config, tensors).build(tile)


class _Int8Builder(Builder):
    def dense(self, x: str, name: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        if self.config.hidden <= _NARROW or name.startswith("cls."):
            return super().dense(x, name, weight, bias)
        integers, scales = quantized_rows(np.asarray(weight, np.float32), WEIGHT_LEVEL)
        states, unit = self.in_integers(x, 2)  # one scale for a token, (B, L, 1)
        matrix = self.constant(f"{name}.int8", np.ascontiguousarray(integers.T))
        product = self.op("MatMulInteger", states, matrix, self.constant("zero_point", np.array(128, np.uint8)))
        by_output = self.op(
            "Mul", self.op("Cast", product, to=self.onnx.TensorProto.FLOAT), self.constant(f"{name}.scale", scales)
        )
        return self.op("Add", self.op("Mul", by_output, unit), self.constant(f"{name}.bias", bias))

    def in_integers(self, x: str, *axes: int) -> tuple[str, str]:
        """uint8 states around 128, and the scale of what the axes span; the same nodes for whoever asks again."""
        key = (x, axes)
        if key not in self._integers:
            greatest = self.op("ReduceMax", self.op("Abs", x), self.integers(*axes), keepdims=1)
            level = self.constant("level", np.array(STATE_LEVEL, np.float32))
            tiny = self.constant("tiny", np.array(1e-30, np.float32))
            unit = self.op("Div", self.op("Max", greatest, tiny), level)
            middle = self.constant("middle", np.array(128, np.float32))
            shifted = self.op("Add", self.op("Round", self.op("Div", x, unit)), middle)
            self._integers[key] = self.op("Cast", shifted, to=self.onnx.TensorProto.UINT8), unit
        return self._integers[key]

    @cached_property
    def _integers(self) -> dict[tuple[str, tuple[int, ...]], tuple[str, str]]:
        return {}

    def word_table(self) -> str:
        """No table in float32: see `words_of`."""
        return WORDS

    def words_of(self, words: str) -> str:
        """Rows of the embedding, stored as 8 bits with a scale a row."""
        c = self.config
        table = self.tensor(WORDS, shape=(c.vocabulary, c.hidden))
        integers, scales = quantized_rows(table, 127)
        rows = self.op("Gather", self.constant(f"{WORDS}.int8", integers), "input_ids")
        scale = self.op("Gather", self.constant(f"{WORDS}.scale", scales[:, None]), "input_ids")
        return self.op("Mul", self.op("Cast", rows, to=self.onnx.TensorProto.FLOAT), scale)

    def peaks(self, x: str, words: str, tile: int) -> str:
        """Maximum logit of each term without its bias, (B, V)."""
        c = self.config
        own = self.tensors.get("cls.predictions.decoder.weight")
        decoder = self.tensor(WORDS, shape=(c.vocabulary, c.hidden)) if c.tied or own is None else own
        integers, scales = quantized_rows(np.asarray(decoder, np.float32), WEIGHT_LEVEL)
        states, unit = self.in_integers(x, 1, 2)  # one scale for a text, (B, 1, 1)
        zero = self.constant("zero_point", np.array(128, np.uint8))
        peaks = []
        for number, start in enumerate(range(0, c.vocabulary, tile)):
            part = self.constant(f"head.{number}", np.ascontiguousarray(integers[start : start + tile].T))
            product = self.op("MatMulInteger", states, part, zero)
            peaks.append(self.op("ReduceMax", product, self.integers(1), keepdims=0))
        joined = self.op("Cast", self.op("Concat", *peaks, axis=1), to=self.onnx.TensorProto.FLOAT)
        by_term = self.op("Mul", joined, self.constant("head.scale", scales[None, :]))
        return self.op("Mul", by_term, self.op("Squeeze", unit, self.integers(2)))


def quantized_rows(table: NDArray[np.float32], level: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 ndarray like `table`, within ±level, and the float32 scale of each row: row ≈ integers × scale."""
    greatest = np.abs(table).max(axis=1)
    scales = np.where(greatest > 0, greatest / level, 1.0).astype(np.float32)
    return np.rint(table / scales[:, None]).astype(np.int8), scales
