"""Any masked-LM checkpoint through torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_checkpoints import TEXTS, VOCABULARY, save_checkpoint, small_model, small_tokenizer

from lsr.encoders.registry import load_encoder
from lsr.encoders.splade import SpladeEncoder
from lsr.errors import EncoderError, InvalidSettingError, LsrError, UnknownEncoderError
from lsr.text.wordpiece import WordPieceTokenizer

KINDS = ["bert", "distilbert", "roberta"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: save_checkpoint(folder / kind, kind) for kind in KINDS}


@pytest.fixture
def copy(checkpoints: dict[str, Path], tmp_path: Path) -> Path:
    """A checkpoint to spoil."""
    return Path(shutil.copytree(checkpoints["bert"], tmp_path / "copy"))


def naive(kind: str, text: str, pooling: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One text alone through the whole model; special tokens kept, also those of an empty text."""
    tokenizer = WordPieceTokenizer(small_tokenizer())
    ids = tokenizer.inputs([text], 60)[0] or tokenizer.prefix + tokenizer.suffix
    with torch.inference_mode():
        logits = small_model(kind)(input_ids=torch.tensor([ids])).logits[0]
    weights = torch.log1p(torch.relu(logits))
    found: np.ndarray[Any, np.dtype[np.float32]] = (weights.amax(0) if pooling == "max" else weights.sum(0)).numpy()
    return found


@pytest.mark.parametrize("pooling", ["max", "sum"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_each_text_alone_through_the_whole_model(checkpoints: dict[str, Path], kind: str, pooling: str) -> None:
    path = str(checkpoints[kind])
    kept = SpladeEncoder(path, pooling=pooling, max_length=60, device="cpu", special_tokens="keep", batch_tokens=200)
    expected = np.stack([naive(kind, text, pooling) for text in TEXTS])
    np.testing.assert_allclose(kept.encode_documents(TEXTS).to_dense(), expected, atol=2e-5)
    expected[:, :5] = 0
    expected[[not text.strip() for text in TEXTS]] = 0
    dropped = SpladeEncoder(path, pooling=pooling, max_length=60, device="cpu")
    np.testing.assert_allclose(dropped.encode_documents(TEXTS).to_dense(), expected, atol=2e-5)
    assert dropped.encode_queries(TEXTS) == dropped.encode_documents(TEXTS)


def test_by_name_with_settings(checkpoints: dict[str, Path]) -> None:
    encoder = load_encoder(str(checkpoints["bert"]), settings={"pooling": "sum", "max_length": 20, "device": "cpu"})
    assert dict(encoder.settings) == {
        "pooling": "sum",
        "queries": "neural",
        "max_length": 20,
        "special_tokens": "drop",
    }
    assert load_encoder(encoder.name, settings=encoder.settings).fingerprint == encoder.fingerprint
    assert encoder.dim == len(VOCABULARY)


def test_fingerprint_changes_with_what_changes_vectors_only(copy: Path) -> None:
    path = str(copy)
    encoder = SpladeEncoder(path, max_length=60)
    prints = [encoder.fingerprint]
    assert SpladeEncoder(path, max_length=60, device="cpu", batch_tokens=9).fingerprint == prints[0]
    assert SpladeEncoder(path, max_length=60, pooling="max").fingerprint == prints[0]
    prints += [
        SpladeEncoder(path, **changed).fingerprint
        for changed in (
            {"max_length": 59},
            {"max_length": 60, "pooling": "sum"},
            {"max_length": 60, "queries": "inference-free"},
            {"max_length": 60, "special_tokens": "keep"},
        )
    ]
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    prints.append(SpladeEncoder(path, max_length=60).fingerprint)
    assert len(set(prints)) == 6


def test_queries_by_look_up(copy: Path) -> None:
    encoder = SpladeEncoder(str(copy), queries="inference-free", max_length=60)
    assert (encoder.lexical_queries, encoder.idf, encoder.default_query_idf) == (True, None, "collection")
    before = encoder.fingerprint
    (copy / "idf.json").write_text('{"moon": 2.5}')
    weighted = SpladeEncoder(str(copy), queries="inference-free", max_length=60)
    assert weighted.default_query_idf == "min"
    assert weighted.fingerprint != before
    found = weighted.encode_queries(["the moon"])
    words = weighted.words(found.terms.tolist())
    assert dict(zip(words, found.weights.tolist(), strict=True)) == {"the": 1.0, "moon": 2.5}


def test_a_query_by_look_up_loads_no_torch(copy: Path) -> None:
    code = f"""
import sys
from lsr.encoders import load_encoder
encoder = load_encoder({str(copy)!r}, settings={{"queries": "inference-free", "max_length": 60}})
assert encoder.fingerprint and encoder.encode_queries(["moon"]).nnz == 1
assert not {{"torch", "transformers", "onnxruntime"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_pooling_that_sentence_transformers_recorded(copy: Path) -> None:
    record = copy / "1_SpladePooling" / "config.json"
    record.parent.mkdir()
    record.write_text('{"pooling_strategy": "sum", "activation_function": "relu"}')
    assert SpladeEncoder(str(copy), max_length=60).settings["pooling"] == "sum"
    assert SpladeEncoder(str(copy), max_length=60, pooling="max").settings["pooling"] == "max"
    record.write_text('{"pooling_strategy": "max", "activation_function": "log1p_relu"}')
    twice = SpladeEncoder(str(copy), max_length=60, device="cpu")
    once = SpladeEncoder(str(copy), max_length=60, device="cpu", activation="log1p_relu")
    assert twice.fingerprint != once.fingerprint
    found = [encoder.encode_documents(["the moon"]).to_dense() for encoder in (twice, once)]
    np.testing.assert_allclose(found[0], np.log1p(found[1]), rtol=1e-5)
    record.write_text('{"pooling_strategy": "max", "activation_function": "gelu"}')
    with pytest.raises(EncoderError, match="has the activation 'gelu'"):
        SpladeEncoder(str(copy), max_length=60)


def test_a_tokenizer_without_its_json_file(copy: Path) -> None:
    text = "The moon pulls the tides of the sea."
    expected = SpladeEncoder(str(copy), max_length=60, device="cpu").encode_documents([text])
    (copy / "tokenizer.json").unlink()
    (copy / "vocab.txt").write_text("\n".join(VOCABULARY))
    found = SpladeEncoder(str(copy), max_length=60, device="cpu").encode_documents([text])
    np.testing.assert_allclose(found.to_dense(), expected.to_dense(), atol=1e-6)


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("config.json", "is not a model checkpoint: it has no config.json"),
        ("model.safetensors", "has no weights"),
        ("tokenizer.json", "has no tokenizer"),
    ],
)
def test_a_file_that_is_missing(copy: Path, spoil: str, message: str) -> None:
    (copy / spoil).unlink()
    with pytest.raises(EncoderError, match=message):
        load_encoder(str(copy))


def test_a_model_of_another_kind(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    with pytest.raises(EncoderError, match="is BertModel: it has no masked-language-model head"):
        load_encoder(str(copy))


def test_a_head_without_weights(tmp_path: Path) -> None:
    """transformers would fill the head with random numbers and warn."""
    folder = save_checkpoint(tmp_path / "headless")
    small_model("bert").bert.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForMaskedLM"]}))
    with pytest.raises(EncoderError, match=r"lacks weights of .*: cls\.predictions\..* and \d+ more"):
        load_encoder(str(folder), settings={"max_length": 60}).encode_documents(["moon"])


def test_an_architecture_without_masked_language_model(copy: Path) -> None:
    (copy / "config.json").write_text(
        json.dumps({"model_type": "gpt2", "architectures": ["XForMaskedLM"], "vocab_size": 40})
    )
    with pytest.raises(EncoderError, match="cannot be loaded as a masked language model"):
        load_encoder(str(copy), settings={"max_length": 60}).encode_documents(["moon"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "mean"}, "pooling is 'mean', it must be one of None, max, sum"),
        ({"queries": "magic"}, "queries is 'magic'"),
        ({"special_tokens": "maybe"}, "special_tokens is 'maybe'"),
        ({"max_length": 65}, "max_length is 65, .* reads between 3 and 64 tokens"),
        ({"max_length": 2}, "max_length is 2"),
        ({"max_length": 60, "batch_tokens": 0}, "batch_tokens is 0"),
    ],
)
def test_illegal_settings(checkpoints: dict[str, Path], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        SpladeEncoder(str(checkpoints["bert"]), **settings)


@pytest.mark.parametrize("device", ["abacus", *(() if torch.cuda.is_available() else ("cuda",))])
def test_a_device_that_is_not_there(checkpoints: dict[str, Path], device: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"device is '{device}'"):
        SpladeEncoder(str(checkpoints["bert"]), max_length=60, device=device).encode_documents(["moon"])


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownEncoderError, match="no folder nobody/no-such-model here, and the model hub"):
        load_encoder("nobody/no-such-model")


def test_without_torch(copy: Path) -> None:
    """In a process where torch cannot be found: said at once for neural queries, when documents come for the others."""
    code = f"""
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from lsr.encoders import load_encoder
from lsr.errors import MissingExtraError
for settings in ({{}}, {{"queries": "inference-free"}}):
    try:
        load_encoder({str(copy)!r}, settings={{"max_length": 60, **settings}}).encode_documents(["moon"])
    except MissingExtraError as error:
        assert error.extra == "torch" and "lsr-engine[torch]" in str(error)
    else:
        raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_errors_are_of_the_tree(tmp_path: Path) -> None:
    with pytest.raises(LsrError):
        SpladeEncoder(str(tmp_path / "nothing"))
