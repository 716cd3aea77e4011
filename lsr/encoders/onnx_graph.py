"""A BERT masked-language model as an ONNX graph that ends in term weights, built from its tensors without torch.

input_ids int64 (B, L), attention_mask int64 (B, L) -> weights float32 (B, V), log1p(relu(max over positions of the
masked logits)), SPLADE's max pooling. Knows the layout of `BertForMaskedLM`; knows nothing of files.

Why by hand and not by an exporter: the head must be computed in tiles of the vocabulary, so that the logits of shape
(B, L, V) never exist; the padding mask must be there (an exporter has dropped it silently); equal tensors must give
equal bytes; the tied embedding must be stored once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import EncoderError, MissingExtraError

Array = NDArray[Any]

#: Terms of the vocabulary whose logits exist at one time. Of 128 to 8192, 512 to 1024 was fastest on a core with
#: 2 MB of cache; in batches of some thousand tokens 2048 and more cost 20-30 %.
TILE = 512
OPSET = 20  # the first with Gelu; onnxruntime 1.18 reads it
IR_VERSION = 9
#: Added to attention scores of padding; its softmax is exactly 0.
MASKED = np.float32(-1e30)


@dataclass(frozen=True, slots=True)
class BertConfig:
    """What the graph must know of a checkpoint's `config.json`."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    vocabulary: int
    positions: int
    tied: bool

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> BertConfig:
        """Read and refuse what the graph would compute wrongly."""
        expected = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        for key, value in expected.items():
            if config.get(key, value if key != "model_type" else None) != value:
                raise EncoderError(
                    f"only checkpoints with {key} = {value!r} can be converted, this one has {config.get(key)!r}",
                    remedy="Load it by its path instead, through torch",
                )
        return cls(
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            hidden=config["hidden_size"],
            epsilon=config["layer_norm_eps"],
            vocabulary=config["vocab_size"],
            positions=config["max_position_embeddings"],
            tied=config.get("tie_word_embeddings", True),
        )


def build_graph(config: BertConfig, tensors: Mapping[str, Array], *, tile: int = TILE) -> bytes:
    """The serialised model.

    Parameters
    ----------
    config : BertConfig
        Sizes.
    tensors : mapping of str to float32 ndarray
        The state of a `BertForMaskedLM` under the names that transformers gives it (layer norms also under their
        older names gamma and beta). An absent decoder is the embedding, where the configuration ties them.
    tile : int
        Terms of a tile of the head.

    Raises
    ------
    EncoderError
        A tensor is missing or of another shape.
    MissingExtraError
        The package onnx is not installed.
    """
    return Builder(config, tensors).build(tile)


class Builder:
    """Nodes and constants in the order in which they are asked for; names count up, so bytes are reproducible."""

    def __init__(self, config: BertConfig, tensors: Mapping[str, Array]) -> None:
        try:
            import onnx
            import onnx.helper
            import onnx.numpy_helper
        except ImportError:
            raise MissingExtraError("converting a checkpoint", "onnx") from None
        self.onnx = onnx
        self.config = config
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    # -- words ----------------------------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        number = len(self.nodes)
        names = [f"{kind.lower()}_{number}" if outputs == 1 else f"{kind.lower()}_{number}_{i}" for i in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, name: str, value: Array) -> str:
        if name not in self.constants:
            self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant("int_" + "_".join(map(str, values)), np.array(values, np.int64))

    def tensor(self, *names: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The tensor under the first of its names that is there."""
        for name in names:
            if name in self.tensors:
                found = self.tensors[name]
                if found.shape != shape:
                    raise EncoderError(f"the checkpoint's tensor {name} has shape {found.shape}, not {shape}")
                return found.astype(np.float32)
        raise EncoderError(
            f"the checkpoint has no tensor {names[0]}",
            remedy="Only a BertForMaskedLM with its masked-language-model head can be converted",
        )

    def dense(self, x: str, name: str, weight: Array, bias: Array) -> str:
        product = self.op("MatMul", x, self.constant(f"{name}.weight", weight.T))
        return self.op("Add", product, self.constant(f"{name}.bias", bias))

    def linear(self, x: str, name: str, inputs: int, outputs: int) -> str:
        weight = self.tensor(f"{name}.weight", shape=(outputs, inputs))
        return self.dense(x, name, weight, self.tensor(f"{name}.bias", shape=(outputs,)))

    def norm(self, x: str, name: str) -> str:
        shape = (self.config.hidden,)
        scale = self.tensor(f"{name}.weight", f"{name}.gamma", shape=shape)
        shift = self.tensor(f"{name}.bias", f"{name}.beta", shape=shape)
        return self.op(
            "LayerNormalization",
            x,
            self.constant(f"{name}.weight", scale),
            self.constant(f"{name}.bias", shift),
            axis=-1,
            epsilon=self.config.epsilon,
        )

    # -- parts ----------------------------------------------------------------------------------------------------

    def embeddings(self, words: str) -> str:
        c = self.config
        name = "bert.embeddings"
        places = self.tensor(f"{name}.position_embeddings.weight", shape=(c.positions, c.hidden))
        kinds = self.tensors.get(f"{name}.token_type_embeddings.weight")
        if kinds is not None:  # one text a row: every token is of kind 0
            places = places + kinds[0].astype(np.float32)
        length = self.op("Slice", self.op("Shape", "input_ids"), self.integers(1), self.integers(2))
        table = self.constant(f"{name}.positions", places)
        positions = self.op("Slice", table, self.integers(0), length, self.integers(0))
        return self.norm(self.op("Add", self.words_of(words), positions), f"{name}.LayerNorm")

    def word_table(self) -> str:
        """The embedding of the tokens, (V, d)."""
        c = self.config
        return self.constant(WORDS, self.tensor(WORDS, shape=(c.vocabulary, c.hidden)))

    def words_of(self, words: str) -> str:
        """Its rows of the input, (B, L, d)."""
        return self.op("Gather", words, "input_ids")

    def attention(self, x: str, name: str, bias: str) -> str:
        hidden, heads = self.config.hidden, self.config.heads
        split = self.integers(0, 0, heads, hidden // heads)
        # The scale 1/√(width of a head) goes into the query's matrix.
        scale = np.float32(1 / math.sqrt(hidden // heads))

        def head(part: str, order: list[int], factor: np.float32) -> str:
            weight = self.tensor(f"{name}.self.{part}.weight", shape=(hidden, hidden)) * factor
            shift = self.tensor(f"{name}.self.{part}.bias", shape=(hidden,)) * factor
            return self.op(
                "Transpose", self.op("Reshape", self.dense(x, f"{name}.{part}", weight, shift), split), perm=order
            )

        one = np.float32(1)
        query, key = head("query", [0, 2, 1, 3], scale), head("key", [0, 2, 3, 1], one)
        value = head("value", [0, 2, 1, 3], one)
        scores = self.op("Add", self.op("MatMul", query, key), bias)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.integers(0, 0, hidden))
        projected = self.linear(joined, f"{name}.output.dense", hidden, hidden)
        return self.norm(self.op("Add", projected, x), f"{name}.output.LayerNorm")

    def feed_forward(self, x: str, name: str) -> str:
        hidden = self.config.hidden
        found = self.tensors.get(f"{name}.intermediate.dense.bias")
        inner = 4 * hidden if found is None else len(found)
        wide = self.op("Gelu", self.linear(x, f"{name}.intermediate.dense", hidden, inner))
        narrow = self.linear(wide, f"{name}.output.dense", inner, hidden)
        return self.norm(self.op("Add", narrow, x), f"{name}.output.LayerNorm")

    def head(self, x: str, real: str, words: str, tile: int) -> str:
        """Maximum logit of each term over the real positions, (B, V), tile by tile."""
        c = self.config
        name = "cls.predictions"
        x = self.op("Gelu", self.linear(x, f"{name}.transform.dense", c.hidden, c.hidden))
        x = self.norm(x, f"{name}.transform.LayerNorm")
        # Padding takes the state of the row's first token, which is always real: the maximum over all positions is
        # then the maximum over the real ones, and no tile of logits needs a mask.
        first = self.op("Slice", x, self.integers(0), self.integers(1), self.integers(1))
        x = self.op("Where", self.op("Unsqueeze", real, self.integers(2)), x, first)
        joined = self.peaks(x, words, tile)
        bias = self.tensor(f"{name}.decoder.bias", f"{name}.bias", shape=(c.vocabulary,))
        return self.op("Add", joined, self.constant(f"{name}.bias", bias))

    def peaks(self, x: str, words: str, tile: int) -> str:
        """Maximum logit of each term over all positions without its bias, (B, V), tile by tile."""
        c = self.config
        name = "cls.predictions"
        columns = self.op("Transpose", x, perm=[0, 2, 1])
        decoder = words
        own = self.tensors.get(f"{name}.decoder.weight")
        if not c.tied or (own is not None and not np.array_equal(own, self.tensors[WORDS])):
            weight = self.tensor(f"{name}.decoder.weight", shape=(c.vocabulary, c.hidden))
            decoder = self.constant(f"{name}.decoder.weight", weight)
        sizes = [min(tile, c.vocabulary - start) for start in range(0, c.vocabulary, tile)]
        tiles = [decoder]
        if len(sizes) > 1:
            split = self.constant("tiles", np.array(sizes, np.int64))
            tiles = self.ops("Split", [decoder, split], len(sizes), axis=0)
        peaks = [self.op("ReduceMax", self.op("MatMul", part, columns), self.integers(2), keepdims=0) for part in tiles]
        return self.op("Concat", *peaks, axis=1)

    def build(self, tile: int) -> bytes:
        c = self.config
        words = self.word_table()
        real = self.op("Cast", "attention_mask", to=self.onnx.TensorProto.BOOL)
        bias = self.op(
            "Where",
            self.op("Unsqueeze", real, self.integers(1, 2)),
            self.constant("zero", np.zeros((), np.float32)),
            self.constant("masked", np.array(MASKED)),
        )
        x = self.embeddings(words)
        for layer in range(c.layers):
            name = f"bert.encoder.layer.{layer}"
            x = self.feed_forward(self.attention(x, f"{name}.attention", bias), name)
        peak = self.op("Relu", self.head(x, real, words, tile))
        raised = self.op("Add", peak, self.constant("one", np.ones((), np.float32)))
        self.nodes.append(self.onnx.helper.make_node("Log", [raised], ["weights"]))
        return self.serialise()

    def serialise(self) -> bytes:
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        inputs = [
            helper.make_tensor_value_info(name, proto.INT64, ["batch", "length"])
            for name in ("input_ids", "attention_mask")
        ]
        outputs = [helper.make_tensor_value_info("weights", proto.FLOAT, ["batch", self.config.vocabulary])]
        graph = helper.make_graph(self.nodes, "splade", inputs, outputs, list(self.constants.values()))
        model = helper.make_model(
            graph, producer_name="lsr", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        self.onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


WORDS = "bert.embeddings.word_embeddings.weight"
