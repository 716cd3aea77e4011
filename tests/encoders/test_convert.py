"""The conversion: equal bytes each time, and refusals of what it would get wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from encoder_checkpoints import SPLADE_TINY, save_checkpoint, upstream_splade_tiny

from lsr.encoders.convert import convert_checkpoint
from lsr.encoders.manifest import Manifest, sha256
from lsr.encoders.registry import CARRIED
from lsr.errors import CorruptionError, EncoderError, InvalidSettingError, LsrError

ROOT = Path(__file__).parents[2]
WORDS: dict[str, Any] = {"name": "small", "source": "made here", "licence": "none", "max_length": 64}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "checkpoint")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_equal_checkpoints_give_equal_bytes(checkpoint: Path, tmp_path: Path) -> None:
    manifest = convert_checkpoint(checkpoint, tmp_path / "one", **WORDS)
    convert_checkpoint(checkpoint, tmp_path / "two", **WORDS)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert set(one) == {"model.onnx", "model.int8.onnx", "tokenizer.json", "manifest.json"}
    assert Manifest.read(tmp_path / "one") == manifest
    assert manifest.files == {name: sha256(data) for name, data in one.items() if name != "manifest.json"}
    assert manifest.upstream["tokenizer.json"] == manifest.files["tokenizer.json"]


def test_the_carried_model_is_what_the_command_makes(tmp_path: Path) -> None:
    readme = (ROOT / "training" / "README.md").read_text()
    start = readme.index("lsr export splade-tiny/ --to carried/splade-tiny ")
    command = readme[start : readme.index("\n```", start)].replace("\\\n", " ").split()[1:]
    command[1:4] = [str(upstream_splade_tiny()), "--to", str(tmp_path / "again")]
    command = [sys.executable, "-m", "lsr.cli", *command]
    subprocess.run(command, check=True, cwd=ROOT, timeout=240, stdout=subprocess.DEVNULL)
    assert contents(tmp_path / "again") == contents(SPLADE_TINY)


def test_the_notice_names_what_is_carried() -> None:
    notice = (ROOT / "NOTICE").read_text()
    manifest = Manifest.read(SPLADE_TINY)
    for hashes in (manifest.files, manifest.upstream):
        for name, digest in hashes.items():
            assert f"{name} " in notice
            assert digest in notice
    assert manifest.source in notice
    assert manifest.licence == "MIT"


def test_the_notice_names_the_model_of_our_own() -> None:
    notice, folder = (ROOT / "NOTICE").read_text(), CARRIED / "lsr-mini-en"
    manifest = Manifest.read(folder)
    assert all(digest in notice and manifest.load(folder, name) for name, digest in manifest.files.items())
    assert (ROOT / manifest.source).is_file()
    assert "licence of the content" in (folder / "README.md").read_text()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 50e6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model_type": "roberta"}, EncoderError, "only checkpoints with model_type = 'bert'"),
        ({"hidden_act": "gelu_new"}, EncoderError, "hidden_act = 'gelu'"),
        ({"position_embedding_type": "relative_key"}, EncoderError, "position_embedding_type"),
        ({"num_hidden_layers": 3}, EncoderError, r"no tensor bert\.encoder\.layer\.2"),
        ({"hidden_size": 18}, EncoderError, "has shape"),
        ({"vocab_size": 20}, EncoderError, "the tokenizer has .* tokens, the model only 20"),
        ({"max_position_embeddings": 32}, InvalidSettingError, "max_length is 64, it must be within 3 and 32"),
        ({"layer_norm_eps": None}, CorruptionError, "not the configuration of a BERT"),
    ],
)
def test_what_cannot_be_converted(
    checkpoint: Path, change: dict[str, Any], error: type[LsrError], message: str
) -> None:
    path = checkpoint / "config.json"
    config = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    with pytest.raises(error, match=message):
        convert_checkpoint(checkpoint, checkpoint / "out", **WORDS)
    assert not (checkpoint / "out").exists()


def test_damaged_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CorruptionError, match=r"model\.safetensors is damaged"):
        convert_checkpoint(checkpoint, checkpoint / "out", **WORDS)
