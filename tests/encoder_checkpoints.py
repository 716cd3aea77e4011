"""Texts to encode, and small masked-LM checkpoints with random weights, made on the spot."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsr.encoders.manifest import Manifest
from lsr.encoders.registry import CARRIED

SPLADE_TINY = CARRIED / "splade-tiny"

#: Very different lengths on purpose: in one batch the short ones are almost all padding.
TEXTS = [
    "tides",
    "The moon pulls the sea towards it.",
    "How long does bread dough have to rise before it goes into the oven?",
    "",
    "Kelp forests shelter otters, urchins and rockfish; where otters vanish, urchins graze the kelp down to bare rock.",
    "SELECT name FROM users WHERE id = 42; -- don't do this",
    " \t\n",
    "Ångström, naïve café, 東京タワー and Straße №5",
    " ".join(
        f"In year {year} the glacier lost {year % 37} metres of ice, and the village below it moved its bridge again."
        for year in range(1900, 1960)
    ),
    "a",
    "The committee (which nobody had asked) wrote forty-two recommendations, of which three were read.",
]

_WORDS = ["the", "of", "to", "a", "in", "was", "moon", "sea", "tide", "bread", "ice", "year", "bridge"]
_WORDS += ["##s", "##ing", "##r", ".", ",", "?", "(", ")"]
_LETTERS = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
VOCABULARY = list(
    dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
    )
)


def small_tokenizer() -> Any:
    """A WordPiece tokenizer over `VOCABULARY`, as BERT's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.add_special_tokens(VOCABULARY[:5])
    return tokenizer


def small_config(kind: str) -> Any:
    """Of `bert`, `distilbert` or `roberta`: two layers, two heads, 16 wide."""
    from transformers import BertConfig, DistilBertConfig, RobertaConfig

    size = len(VOCABULARY)
    if kind == "distilbert":
        return DistilBertConfig(
            vocab_size=size, dim=16, n_layers=2, n_heads=2, hidden_dim=40, max_position_embeddings=64
        )
    family = {"bert": BertConfig, "roberta": RobertaConfig}[kind]
    return family(
        vocab_size=size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=40,
        max_position_embeddings=64,
        pad_token_id=0,
    )


def small_model(kind: str, *, tied: bool = True) -> Any:
    """A `*ForMaskedLM` with random weights large enough that terms differ, in inference mode."""
    import torch
    from transformers import AutoModelForMaskedLM

    torch.manual_seed(7)
    config = small_config(kind)
    config.tie_word_embeddings = tied
    model = AutoModelForMaskedLM.from_config(config)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name.lower():
                parameter.copy_(torch.randn_like(parameter) * 0.25)
    return model.eval()


def save_checkpoint(folder: Path, kind: str = "bert", *, tied: bool = True) -> Path:
    """`config.json`, `model.safetensors` and `tokenizer.json` of a `small_model`."""
    small_model(kind, tied=tied).save_pretrained(folder)
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def upstream_splade_tiny() -> Path:
    """The folder of the upstream checkpoint, which `LSR_SPLADE_TINY` names; skips the test without it."""
    folder = os.environ.get("LSR_SPLADE_TINY")
    if not folder:
        pytest.skip("needs the upstream checkpoint of splade-tiny (set LSR_SPLADE_TINY to its folder)")
    return Path(folder)


def torch_twin(folder: Path) -> Path:
    """The carried model as a checkpoint that transformers reads, from the tensors inside its `model.onnx`."""
    import onnx
    import onnx.numpy_helper
    import torch
    from transformers import BertConfig, BertForMaskedLM

    manifest = Manifest.read(SPLADE_TINY)
    graph = onnx.load_from_string(manifest.load(SPLADE_TINY, "model.onnx")).graph
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    words = found["bert.embeddings.word_embeddings.weight"]
    config = BertConfig(
        vocab_size=manifest.dim,
        hidden_size=words.shape[1],
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        max_position_embeddings=manifest.positions,
    )
    model = BertForMaskedLM(config)
    state = model.state_dict()
    head_width = words.shape[1] // 2
    for name, tensor in state.items():
        source = name.replace(".self.", ".")
        if name.endswith("position_embeddings.weight"):
            value = found["bert.embeddings.positions"]  # the graph has the token type's vector added in
        elif name.endswith("token_type_embeddings.weight"):
            value = np.zeros(tensor.shape, np.float32)
        elif name == "cls.predictions.decoder.weight":
            value = words
        elif name == "cls.predictions.decoder.bias":
            value = found["cls.predictions.bias"]
        elif name.endswith(("position_ids", "token_type_ids")):
            continue
        else:
            value = found[source]
            if tensor.ndim == 2 and "embeddings" not in name:
                value = value.T
            if ".query." in name:  # the graph has the scale of attention multiplied in
                value = value * np.float32(head_width**0.5)
        state[name] = torch.from_numpy(value.copy())
    model.load_state_dict(state)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(manifest.load(SPLADE_TINY, "tokenizer.json"))
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertForMaskedLM"]
    return folder
