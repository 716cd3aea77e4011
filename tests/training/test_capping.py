"""Biases lowered until no term is in more than a share of texts: the arithmetic, and checkpoints of every kind."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from encoder_checkpoints import VOCABULARY, save_checkpoint, small_config
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.encoders.registry import load_encoder
from lsr.errors import EncoderError, InvalidSettingError, LsrError, SourceError, TrainingError
from lsr.training.calibration import sampled_texts
from lsr.training.capping import cap_terms
from lsr.training.ubiquity import least_lowering, lowered, pruned, shares
from lsr.vectors import SparseVectors

SCRIPT = Path(__file__).parents[2] / "training" / "cap_terms.py"


def rows(seed: int, count: int, dim: int) -> SparseVectors:
    """Random vectors in which the first terms are nearly everywhere."""
    rng = np.random.default_rng(seed)
    dense = rng.exponential(1.0, (count, dim)) * (rng.random((count, dim)) < np.linspace(1, 0, dim) ** 2)
    return SparseVectors.from_dense(dense.astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0]),
    prune=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    weighted=st.booleans(),
)
def test_nothing_stays_above_the_share_and_nothing_is_lowered_further(
    seed: int, share: float, prune: float, weighted: bool
) -> None:
    groups = [rows(seed, 40, 12), rows(seed + 5000, 23, 12)]
    importance = np.random.default_rng(seed).exponential(2.0, 12).astype(np.float32) if weighted else None
    if importance is not None:
        importance[seed % 12] = 0
    amounts = least_lowering(groups, share, prune=prune, importance=importance)

    def greatest(tried: np.ndarray) -> np.ndarray:
        kept = [pruned(lowered(vectors, tried), prune, importance) for vectors in groups]
        found: np.ndarray = np.max([shares(vectors) for vectors in kept], axis=0)
        return found

    assert (amounts >= 0).all()
    assert (greatest(amounts) <= share + 1e-9).all()
    for term in np.flatnonzero(amounts):
        less = amounts.copy()
        less[term] = max(0.0, less[term] - 5e-3)
        assert greatest(less)[term] > share, f"term {term} came down further than it needed to"
    if share == 1:
        assert not amounts.any()


def test_a_peak_that_comes_down_lets_others_in() -> None:
    """Term 0 hides term 1 in every row by pruning; once it is lowered, term 1 has to be lowered as well."""
    dense = np.zeros((10, 4), np.float32)
    dense[:, 0], dense[:, 1] = np.linspace(3.0, 3.9, 10), 1.0
    dense[:, 2] = np.where(np.arange(10) < 3, 0.9, 0)
    vectors = SparseVectors.from_dense(dense)
    assert shares(pruned(vectors, 0.5, None)).tolist() == [1, 0, 0, 0]
    amounts = least_lowering([vectors], 0.5, prune=0.5)
    assert (amounts > 0).tolist() == [True, True, False, False]
    assert (shares(pruned(lowered(vectors, amounts), 0.5, None)) <= 0.5).all()


def test_weights_of_untouched_terms_are_the_same_bits() -> None:
    vectors = rows(1, 30, 12)
    amounts = np.zeros(12)
    assert lowered(vectors, amounts).weights.tobytes() == vectors.weights.tobytes()
    amounts[0] = 0.5
    changed = lowered(vectors, amounts).to_dense()
    before = vectors.to_dense()
    np.testing.assert_array_equal(changed[:, 1:], before[:, 1:])
    expected = np.log1p(np.maximum(np.expm1(before[:, 0].astype(np.float64)) - 0.5, 0))
    np.testing.assert_allclose(changed[:, 0], expected, rtol=1e-6)


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    words = [word for word in VOCABULARY[5:] if not word.startswith("##") and word.isalpha()]
    return [" ".join(rng.choices(words, k=rng.randint(2, 12))) for _ in range(count)]


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = safetensors.numpy.load_file(folder / "model.safetensors")
    return found


def checkpoint(folder: Path, kind: str = "bert", *, tied: bool = True) -> Path:
    """With idf, where a term that is nearly everywhere has little."""
    save_checkpoint(folder, kind, tied=tied)
    table = {token: 1.0 + place % 7 for place, token in enumerate(VOCABULARY) if place > 4}
    (folder / "idf.json").write_text(json.dumps(table))
    return folder


@pytest.mark.parametrize(("kind", "tied"), [("bert", True), ("bert", False), ("distilbert", True), ("roberta", False)])
def test_the_capped_checkpoint_encodes_as_was_asked(kind: str, tied: bool, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "source", kind, tied=tied)
    groups = {"one": sentences(120), "other": sentences(80, seed=1)}
    done = cap_terms(source, tmp_path / "capped", groups, share=0.25, prune=0.2, device="cpu")
    before, after = state(source), state(tmp_path / "capped")
    named = {term.term: term for term in done.terms}
    places = {VOCABULARY.index(term) for term in named}
    assert 0 < len(places) < len(VOCABULARY)
    biases = [name for name, tensor in before.items() if before[name].tobytes() != after[name].tobytes()]
    assert biases
    assert all(name.endswith("bias") for name in biases)
    for name in biases:
        assert set(np.flatnonzero(before[name] != after[name])) == places
        assert (after[name] <= before[name]).all()
    assert set(before) == set(after)
    assert (tmp_path / "capped" / "idf.json").read_bytes() == (source / "idf.json").read_bytes()
    old, new = (load_encoder(str(tmp_path / name), settings={"prune": 0.2}) for name in ("source", "capped"))
    was, now = ([encoder.encode_documents(texts) for texts in groups.values()] for encoder in (old, new))
    most, left = (np.max([shares(vectors) for vectors in found], axis=0) for found in (was, now))
    assert left.max() <= 0.25
    for place, word in enumerate(VOCABULARY):
        if word in named:
            assert (named[word].before, named[word].after) == (most[place], left[place])
            assert named[word].lowered > 0
    for group, first, second in zip(done.groups, was, now, strict=True):
        assert (group.terms_before, group.terms_after) == (first.nnz / len(first), second.nnz / len(second))
        assert group.above == (shares(first) > 0.25).sum()
    again = cap_terms(tmp_path / "capped", tmp_path / "again", groups, share=0.25, prune=0.2, device="cpu")
    assert not again.terms  # what holds already is left alone
    assert state(tmp_path / "again")[biases[0]].tobytes() == after[biases[0]].tobytes()


def test_what_cannot_be_capped_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    from transformers import BertModel

    source = checkpoint(tmp_path / "source")
    body = checkpoint(tmp_path / "body")
    BertModel(small_config("bert")).save_pretrained(body)
    twice = checkpoint(tmp_path / "twice")
    (twice / "1_SpladePooling").mkdir()
    (twice / "1_SpladePooling" / "config.json").write_text('{"activation_function": "log1p_relu"}')
    (tmp_path / "empty").mkdir()
    texts = {"texts": sentences(40)}
    good: dict[str, Any] = {"share": 0.25}
    cases: list[tuple[Path, dict[str, list[str]], dict[str, Any], type[LsrError], str]] = [
        (source, texts, {"share": 0.0}, InvalidSettingError, "share is 0.0"),
        (source, texts, {"share": 1.5}, InvalidSettingError, "share is 1.5"),
        (source, texts, {"share": float("nan")}, InvalidSettingError, "share is nan"),
        (source, texts, {"share": 0.25, "prune": 2.0}, InvalidSettingError, "prune is 2.0"),
        (source, texts, {"share": 0.25, "max_length": 1000}, InvalidSettingError, "max_length is 1000"),
        (source, {}, good, InvalidSettingError, "no texts"),
        (source, {"few": ["a", "b", "c"]}, good, InvalidSettingError, "few has 3 texts, too few for a share of 0.25"),
        (body, texts, good, InvalidSettingError, "has no cls.predictions.bias"),
        (twice, texts, good, EncoderError, "does not give"),
        (tmp_path / "empty", texts, good, TrainingError, "has no config.json"),
    ]
    before = sorted(tmp_path.rglob("*"))
    for path, groups, given_settings, kind, said in cases:
        with pytest.raises(kind, match=said):
            cap_terms(path, tmp_path / "capped", groups, device="cpu", **given_settings)
    with pytest.raises(InvalidSettingError, match="is not empty"):
        cap_terms(source, source, texts, share=0.25)
    assert sorted(tmp_path.rglob("*")) == before


def test_texts_are_sampled_different_and_joined(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    texts = [f"sentence number {number}" for number in range(50)]
    with gzip.open(path, "wt") as stream:
        for text in texts:
            stream.write(
                json.dumps({"query": "q", "pos": text}) + "\n" + json.dumps({"query": "r", "pos": text}) + "\n"
            )
    assert sampled_texts(path) == texts
    some = sampled_texts(path, sample=10, seed=1)
    assert len(some) == 10
    assert [text for text in texts if text in some] == some
    assert some == sampled_texts(path, sample=10, seed=1) != sampled_texts(path, sample=10, seed=2)
    joined = sampled_texts(path, words=7)
    assert joined[0] == " ".join(texts[:3])
    assert len(joined) == 16  # two sentences are left over
    titled = tmp_path / "corpus.jsonl"
    titled.write_text('{"_id": "1", "title": "the moon", "text": "and the sea"}\n')
    assert sampled_texts(titled) == ["the moon and the sea"]
    with pytest.raises(InvalidSettingError, match="sample is 0"):
        sampled_texts(path, sample=0)
    with pytest.raises(SourceError, match="does not exist"):
        sampled_texts(tmp_path / "none.jsonl")


def test_the_command(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "source")
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps({"text": text}) + "\n" for text in sentences(60, seed=seed))
        )
    words = [sys.executable, str(SCRIPT), str(source), "--to", str(tmp_path / "capped")]
    words += ["--share", "0.3", "--prune", "0"]
    words += ["--texts", str(tmp_path / "a.jsonl"), "--device", "cpu"]
    more = ["--sentences", str(tmp_path / "b.jsonl"), "--words", "12", "--sample", "30"]
    done = subprocess.run([*words, *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(said in done.stdout for said in ("terms lowered", "| a.jsonl | 30 | ", "| b.jsonl | "))
    assert (tmp_path / "capped" / "model.safetensors").is_file()
    bad = subprocess.run(words, capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: ")
    assert "is not empty" in bad.stderr
    shutil.rmtree(tmp_path / "capped")
    same = subprocess.run([*words, "--sentences", str(tmp_path / "a.jsonl")], capture_output=True, text=True)
    assert same.returncode == 1
    assert "named twice" in same.stderr
