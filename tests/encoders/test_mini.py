"""The carried model of our own: what it writes down, how it is pruned, and that a network is only for documents."""

from __future__ import annotations

import numpy as np
import pytest

from lsr.encoders.registry import load_encoder
from lsr.errors import InvalidSettingError

TEXTS = [
    "The arctic tern flies from pole to pole and back every year.",
    "Metformin lowers glucose in type 2 diabetes.",
    "",
    "word " * 400,
]


def test_documents_are_expanded_and_short() -> None:
    encoder = load_encoder("lsr-mini-en")
    vectors = encoder.encode_documents(TEXTS)
    words = [set(encoder.words(row.terms.tolist())) for row in vectors]
    assert {"flies", "fly", "arctic"} <= words[0]
    assert {"diabetes", "insulin"} <= words[1]
    assert not {"the", "in", ".", "[CLS]"} & (words[0] | words[1])
    assert vectors.lengths[2] == 0
    assert 20 < vectors.lengths[0] < 170


def test_vectors_depend_on_no_batch() -> None:
    encoder = load_encoder("lsr-mini-en", settings={"threads": 1})
    together = encoder.encode_documents(TEXTS).to_dense()
    alone = np.concatenate([encoder.encode_documents([text]).to_dense() for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=0.02)  # a rounding may go the other way at the last bit of a float


def test_pruning_keeps_what_adds_most() -> None:
    whole = load_encoder("lsr-mini-en", settings={"prune": 0.0})
    pruned = load_encoder("lsr-mini-en", settings={"prune": 0.3})
    usual = load_encoder("lsr-mini-en")
    assert len({encoder.fingerprint for encoder in (whole, pruned, usual)}) == 3
    assert usual.settings["prune"] == 0.05
    table = whole.idf
    assert table is not None
    before, after = (encoder.encode_documents(TEXTS[:2]) for encoder in (whole, pruned))
    for row, kept in zip(before.to_dicts(), after.to_dicts(), strict=True):
        least = 0.3 * max(weight * table[term] for term, weight in row.items())
        assert kept == {t: w for t, w in row.items() if np.float32(w * table[t]) >= np.float32(least)}
    with pytest.raises(InvalidSettingError, match=r"prune is 1\.5"):
        load_encoder("lsr-mini-en", settings={"prune": 1.5})


def test_queries_are_looked_up_and_never_pruned() -> None:
    encoder = load_encoder("lsr-mini-en", settings={"prune": 0.9})
    assert encoder.lexical_queries
    assert encoder.default_query_idf == "min"
    query = encoder.encode_queries(["what is the treatment of diabetes?"])
    assert set(encoder.words(query.terms.tolist())) == {"what", "is", "the", "treatment", "of", "diabetes", "?"}
