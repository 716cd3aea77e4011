"""A trained model in every format gives the vectors that it gave, and what cannot be exported leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_checkpoints import TEXTS, save_checkpoint
from training_help import write_recipe

from lsr.encoders.manifest import Manifest
from lsr.encoders.registry import load_encoder
from lsr.errors import EncoderError, InvalidSettingError, UnknownEncoderError
from lsr.training.checkpoints import trained_model
from lsr.training.export import export_model
from lsr.training.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    train(write_recipe(folder, steps=4), say=lambda line: None, device="cpu")
    return folder / "run"


def vectors(folder: Path, **settings: str | int) -> tuple[np.ndarray, np.ndarray]:
    encoder = load_encoder(str(folder), settings={"queries": "inference-free", **settings})
    texts = [*TEXTS[:6], "moon sea tide bread"]
    return encoder.encode_documents(texts).to_dense(), encoder.encode_queries(["the moon", "sea ice"]).to_dense()


def test_a_run_on_onnxruntime_in_every_precision(run: Path, tmp_path: Path) -> None:
    words: dict[str, Any] = {"licence": "MIT", "name": "mine"}
    precisions = ("float32", "float16", "int8")
    done = export_model(str(run), tmp_path / "out", format="onnx", precisions=precisions, **words)
    manifest = Manifest.read(tmp_path / "out")
    assert (manifest.name, manifest.licence, manifest.max_length, manifest.prune) == ("mine", "MIT", 64, 0.0)
    export_model(str(run), tmp_path / "pruned", format="onnx", precisions=("float32",), prune=0.25, max_length=32)
    pruned = Manifest.read(tmp_path / "pruned")
    assert (pruned.max_length, pruned.prune) == (32, 0.25)
    assert manifest.source == str(run / "model")
    assert set(manifest.files) == {"model.onnx", "model.fp16.onnx", "model.int8.onnx", "tokenizer.json", "idf.json"}
    assert (tmp_path / "out" / "README.md").read_text() == (run / "model" / "README.md").read_text()
    assert (tmp_path / "out" / "recipe.toml").is_file()
    assert done.bytes == sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    documents, queries = vectors(run / "model", max_length=64)
    for precision, tolerance in (("float32", 1e-5), ("float16", 5e-3), ("int8", 0.2)):
        found, asked = vectors(tmp_path / "out", precision=precision)
        assert np.abs(found - documents).max() < tolerance
        assert asked == pytest.approx(queries)


def test_half_precision_alone_is_half_the_file_and_loads_by_itself(tmp_path: Path) -> None:
    checkpoint = save_checkpoint(tmp_path / "model")
    for precision in ("float32", "float16"):
        export_model(str(checkpoint), tmp_path / precision, format="onnx", precisions=(precision,))
    encoder = load_encoder(str(tmp_path / "float16"))
    assert encoder.settings["precision"] == "float16"
    whole = load_encoder(str(tmp_path / "float32"))
    assert encoder.fingerprint != whole.fingerprint
    texts = TEXTS[:6]
    assert encoder.encode_documents(texts).to_dense() == pytest.approx(
        whole.encode_documents(texts).to_dense(), abs=5e-3
    )


def test_large_tensors_are_halved_and_equal_bytes_come_out() -> None:
    from encoder_checkpoints import SPLADE_TINY

    from lsr.encoders.onnx_half import halved

    data = (SPLADE_TINY / "model.onnx").read_bytes()
    half = halved(data)
    assert len(half) < 0.51 * len(data)
    assert halved(data) == half


@pytest.mark.parametrize("format", ["sentence-transformers", "opensearch", "masked-lm"])
def test_a_run_in_the_layouts_of_others(run: Path, tmp_path: Path, format: str) -> None:
    export_model(str(run), tmp_path / "out", format=format)
    expected = vectors(run / "model", max_length=64)
    encoder = load_encoder(str(tmp_path / "out"), settings={"queries": "inference-free", "max_length": 64})
    found = encoder.encode_documents([*TEXTS[:6], "moon sea tide bread"]).to_dense()
    # sentence-transformers keeps the dimensions of special tokens, which a trained student never weighs.
    special = [0, 1, 2, 3, 4]
    found[:, special] = 0
    assert found == pytest.approx(expected[0], abs=1e-5)
    if format != "masked-lm":
        assert encoder.encode_queries(["the moon", "sea ice"]).to_dense() == pytest.approx(expected[1], rel=1e-5)
    assert (tmp_path / "out" / "README.md").is_file()


def test_an_unfinished_run_gives_its_last_complete_checkpoint(tmp_path: Path) -> None:
    train(write_recipe(tmp_path, steps=6), say=lambda line: None, device="cpu", stop_after=3)
    run = tmp_path / "run"
    assert trained_model(run) == run / "checkpoint-3"
    export_model(str(run), tmp_path / "out", format="opensearch")
    assert (tmp_path / "out" / "idf.json").is_file()
    assert trained_model(tmp_path / "student") == tmp_path / "student"


def test_what_cannot_be_exported_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = save_checkpoint(tmp_path / "model")
    distil = save_checkpoint(tmp_path / "distil", "distilbert")
    odd = save_checkpoint(tmp_path / "odd")
    record = json.loads((odd / "tokenizer.json").read_text())
    record["model"]["vocab"]["another"] = len(record["model"]["vocab"])
    (odd / "tokenizer.json").write_text(json.dumps(record))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("")
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "out"
    for path, to, format, precisions, kind, said in (
        (checkpoint, out, "gguf", ("float32",), InvalidSettingError, "format is 'gguf'"),
        (checkpoint, out, "onnx", ("int4",), InvalidSettingError, "precision is 'int4'"),
        (checkpoint, tmp_path / "full", "onnx", ("int8",), InvalidSettingError, "is not empty"),
        (tmp_path / "none", out, "onnx", ("int8",), UnknownEncoderError, "no checkpoint at"),
        (tmp_path / "full", out, "onnx", ("int8",), EncoderError, "is not a model checkpoint"),
        (distil, out, "onnx", ("int8",), EncoderError, "only checkpoints with model_type = 'bert'"),
        (odd, out, "onnx", ("int8",), EncoderError, "has 76 tokens, its model 75"),
        (odd, out, "opensearch", (), EncoderError, "has 76 tokens, its model 75"),
        (checkpoint, out, "opensearch", (), InvalidSettingError, "opensearch needs queries by look-up"),
    ):
        with pytest.raises(kind, match=said):
            export_model(str(path), to, format=format, precisions=precisions)
    only: tuple[dict[str, Any], ...] = ({"prune": 0.1}, {"precisions": ("int8",)}, {"name": "x"}, {"licence": "MIT"})
    for setting in only:
        with pytest.raises(InvalidSettingError, match=f"opensearch has no place for {next(iter(setting))}"):
            export_model(str(checkpoint), out, format="opensearch", **setting)
    with pytest.raises(InvalidSettingError, match="prune is 1"):
        export_model(str(checkpoint), out, format="onnx", prune=1.5)
    assert sorted(tmp_path.rglob("*")) == before
