"""Queries by look-up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from encoder_checkpoints import SPLADE_TINY, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.encoders.idf import read_idf_table
from lsr.encoders.inference_free import InferenceFreeQueries
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

TOKENIZER = WordPieceTokenizer.from_file(SPLADE_TINY / "tokenizer.json")
DIM = TOKENIZER.size

#: Some weights of OpenSearch's published table for this vocabulary.
PUBLISHED = {"ny": 5.7729, "weather": 4.5684, "now": 3.5895, "?": 3.3313, "what": 2.7699, "the": 0.1353}


def spelled(vectors: SparseVectors) -> list[dict[str, float]]:
    return [
        dict(zip(TOKENIZER.tokens(row.terms.tolist()), row.weights.round(4).tolist(), strict=True)) for row in vectors
    ]


def test_without_a_table_each_token_weighs_one_however_often_it_stands() -> None:
    queries = InferenceFreeQueries(TOKENIZER, DIM)
    assert spelled(queries.counts(["new New whale whale"])) == [{"new": 1, "whale": 1}]
    assert queries.encode(TEXTS) == queries.counts(TEXTS)


def test_special_and_unknown_tokens_are_left_out() -> None:
    queries = InferenceFreeQueries(TOKENIZER, DIM)
    assert spelled(queries.encode(["[SEP] \U0001f40b", "", "  "])) == [{"[": 1, "sep": 1, "]": 1}, {}, {}]


def test_published_weights() -> None:
    table = read_idf_table(json.dumps(PUBLISHED).encode(), Path("idf.json"), TOKENIZER, DIM)
    found = spelled(InferenceFreeQueries(TOKENIZER, DIM, table).encode(["What's the weather in ny now?"]))
    unseen = {"'": 1.0, "s": 1.0, "in": 1.0}
    assert found == [pytest.approx({**PUBLISHED, **unseen}, abs=1e-4)]


def test_tokens_of_weight_zero_are_left_out() -> None:
    table = np.ones(DIM, np.float32)
    table[TOKENIZER.id("the")] = 0
    found = InferenceFreeQueries(TOKENIZER, DIM, table).encode(["the whale", "the"])
    assert spelled(found) == [{"whale": 1}, {}]


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_a_query_is_a_product_of_presence_and_table(texts: list[str]) -> None:
    table = np.random.default_rng(3).random(DIM, np.float32)
    table[list(TOKENIZER.special_ids)] = 0
    presence = np.zeros((len(texts), DIM), np.float32)
    for row, text in zip(presence, texts, strict=True):
        row[TOKENIZER.ids(text)] = 1
    found = InferenceFreeQueries(TOKENIZER, DIM, table).encode(texts)
    assert found == SparseVectors.from_dense(presence * table)
