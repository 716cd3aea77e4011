"""The idf tables that a lexical query can be weighted by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lsr import Document, Index
from lsr.encoders.idf import PSEUDO_DOCUMENTS, inverse_document_frequency, smoothed_idf
from lsr.encoders.manifest import sha256
from lsr.encoders.onnx import OnnxEncoder
from lsr.encoders.registry import CARRIED
from lsr.engine.query import QUERY_IDF
from lsr.errors import InvalidSettingError


@pytest.fixture
def encoder(tmp_path: Path) -> OnnxEncoder:
    """The carried model with a table of its own."""
    folder = Path(shutil.copytree(CARRIED / "splade-tiny", tmp_path / "encoder"))
    data = json.dumps({"moon": 6.0, "tide": 7.0, "ice": 0.0}).encode()
    (folder / "idf.json").write_bytes(data)
    record = json.loads((folder / "manifest.json").read_text())
    record["files"]["idf.json"] = sha256(data)
    (folder / "manifest.json").write_text(json.dumps(record))
    return OnnxEncoder(folder)


DOCUMENTS = [Document("1", "the moon and the tide"), Document("2", "the moon"), Document("3", "the moon over ice")]


def weights(index: Index, setting: str) -> dict[str, float]:
    index.query_idf = setting
    row = index.query_weights(["moon tide ice"])
    return dict(zip(index.encoder.words(row.terms.tolist()), row.weights.tolist(), strict=True))


def test_the_four_settings(encoder: OnnxEncoder, tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder=encoder, query_idf="smoothed") as index:
        index.add(DOCUMENTS)
        found = {setting: weights(index, setting) for setting in QUERY_IDF}
    assert found["model"] == pytest.approx({"moon": 6.0, "tide": 7.0}, rel=1e-6)
    own = inverse_document_frequency([3, 1, 1], 3).tolist()
    collection = dict(zip(("moon", "tide", "ice"), own, strict=True))
    assert found["collection"] == pytest.approx(collection, rel=1e-6)
    assert found["min"] == pytest.approx({w: min(found["model"][w], collection[w]) for w in found["model"]}, rel=1e-6)
    expected = {
        word: np.log((3 + PSEUDO_DOCUMENTS + 1) / (df + PSEUDO_DOCUMENTS * np.exp(-found["model"][word]) + 0.5))
        for word, df in (("moon", 3), ("tide", 1))
    }
    assert found["smoothed"] == pytest.approx(expected, rel=1e-5)


def test_smoothing_leans_on_the_table_where_counts_say_little_and_on_counts_where_they_say_much() -> None:
    own = np.array([8.0, 3.0, 0.0], np.float32)
    share = np.exp(-own.astype(np.float64))
    none = smoothed_idf(np.zeros(3, np.int64), 0, own)
    assert none[2] == 0
    assert none[0] > none[1] > 2.5
    many = smoothed_idf(np.array([500_000, 10, 5]), 1_000_000, own)
    np.testing.assert_allclose(many[:2], inverse_document_frequency([500_000, 10], 1_000_000), atol=0.5)
    same = smoothed_idf((share * 1_000_000).astype(np.int64), 1_000_000, own)
    np.testing.assert_allclose(same[:2], own[:2], atol=0.01)


def test_the_weights_of_a_generation_do_not_move(encoder: OnnxEncoder, tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder=encoder, query_idf="smoothed") as index:
        index.add(DOCUMENTS)
        reader = Index.open(tmp_path / "index", encoder=encoder)
        before = [(hit.document.id, hit.score) for hit in reader.search("moon tide").hits]
        index.add([Document("4", "tide tide tide"), Document("5", "tide")])
        assert [(hit.document.id, hit.score) for hit in reader.search("moon tide").hits] == before
        reader.refresh()
        after = reader.search("moon tide", explain=True)
        assert [(hit.document.id, hit.score) for hit in after.hits] != before
        for hit in after.hits:
            assert hit.explanation is not None
            assert sum(part.contribution for part in hit.explanation) == pytest.approx(hit.score, rel=1e-6)
        reader.close()


@pytest.mark.parametrize("setting", ["min", "smoothed"])
def test_a_table_is_needed(setting: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingError, match=f"query_idf is '{setting}', but splade-tiny-doc has no idf table"):
        Index.create(tmp_path / "index", encoder="splade-tiny-doc", query_idf=setting)
