"""Means of checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from encoder_checkpoints import save_checkpoint

from lsr.encoders.registry import load_encoder
from lsr.errors import CorruptionError, InvalidSettingError, LsrError, TrainingError
from lsr.training.averaging import average_checkpoints

BIAS = "cls.predictions.bias"


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = safetensors.numpy.load_file(folder / "model.safetensors")
    return found


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    one, other = save_checkpoint(tmp_path / "one"), save_checkpoint(tmp_path / "other")
    moved = {name: tensor + np.float32(0.25) for name, tensor in state(other).items()}
    safetensors.numpy.save_file(moved, other / "model.safetensors", metadata={"format": "pt"})
    return one, other


def test_it_is_the_weighted_mean_and_loads(two: tuple[Path, Path], tmp_path: Path) -> None:
    target = average_checkpoints(two, tmp_path / "mean", weights=[1, 3], bias_shift=0.5)
    first, second, found = state(two[0]), state(two[1]), state(target)
    assert set(found) == set(first)
    for name, tensor in found.items():
        expected = 0.25 * first[name] + 0.75 * second[name] + (0.5 if name == BIAS else 0)
        np.testing.assert_allclose(tensor, expected, rtol=0, atol=1e-6)
        assert tensor.dtype == np.float32
    load_encoder(str(target)).encode_documents(["the moon"])
    equal = average_checkpoints([two[0], two[0]], tmp_path / "same")
    assert all(np.array_equal(tensor, first[name]) for name, tensor in state(equal).items())


def test_what_has_no_mean_is_refused_and_leaves_nothing(two: tuple[Path, Path], tmp_path: Path) -> None:
    wide = save_checkpoint(tmp_path / "wide")
    grown = {**state(wide), "more": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(grown, wide / "model.safetensors")
    foreign = save_checkpoint(tmp_path / "foreign")
    record = json.loads((foreign / "tokenizer.json").read_text())
    (foreign / "tokenizer.json").write_text(json.dumps(record, indent=1))
    damaged = save_checkpoint(tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    cases: list[tuple[list[Path], dict[str, Any], type[LsrError], str]] = [
        ([two[0]], {}, InvalidSettingError, "no mean"),
        ([*two], {"weights": [1.0]}, InvalidSettingError, "1 weights for 2"),
        ([*two], {"weights": [0.0, 0.0]}, InvalidSettingError, "not all 0"),
        ([*two], {"weights": [float("nan"), 1.0]}, InvalidSettingError, "0 or more"),
        ([two[0], wide], {}, TrainingError, "has not the tensors"),
        ([two[0], foreign], {}, TrainingError, "has not the tokenizer"),
        ([two[0], damaged], {}, CorruptionError, "is damaged"),
        ([two[0], tmp_path / "empty"], {}, TrainingError, "has no config.json"),
    ]
    before = sorted(tmp_path.rglob("*"))
    for paths, settings, kind, said in cases:
        with pytest.raises(kind, match=said):
            average_checkpoints(paths, tmp_path / "mean", **settings)
    with pytest.raises(InvalidSettingError, match="is not empty"):
        average_checkpoints(two, two[0])
    assert sorted(tmp_path.rglob("*")) == before
