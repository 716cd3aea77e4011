"""Inverse document frequency: the published convention, and tables of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from encoder_checkpoints import VOCABULARY, small_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.encoders.idf import inverse_document_frequency, read_idf_table
from lsr.errors import CorruptionError, EncoderError, InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer

#: Passages of MS MARCO, from which the published tables are counted.
MS_MARCO = 8_841_823
TOKENIZER = WordPieceTokenizer(small_tokenizer())
SIZE = len(VOCABULARY)


def test_golden_value_of_the_published_tables() -> None:
    assert inverse_document_frequency(1, MS_MARCO) == pytest.approx(15.58954, abs=5e-6)


@pytest.mark.parametrize(
    ("df", "n", "expected"), [(0, 0, math.log(2)), (0, 9, math.log(20)), (9, 9, math.log(10 / 9.5))]
)
def test_ends(df: int, n: int, expected: float) -> None:
    assert inverse_document_frequency(df, n) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.integers(0, MS_MARCO), max_size=20), st.integers(0, 100))
def test_is_the_formula_positive_and_falling(df: list[int], more: int) -> None:
    n = MS_MARCO + more
    found = inverse_document_frequency(df, n)
    assert found.dtype == np.float32
    assert found.shape == (len(df),)
    expected = [math.log(1 + (n - count + 0.5) / (count + 0.5)) for count in df]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert (found > 0).all()
    assert (np.diff(inverse_document_frequency(sorted(df), n)) <= 0).all()


@pytest.mark.parametrize("df", [[3, 11], [-1]])
def test_more_documents_than_there_are(df: list[int]) -> None:
    with pytest.raises(InvalidSettingError, match="document frequencies go from"):
        inverse_document_frequency(df, 10)


def test_table_by_token() -> None:
    data = json.dumps({"moon": 2.5, "[CLS]": 9.0, "[UNK]": 1.0, "the": -0.5, "sea": 1}).encode()
    table = read_idf_table(data, Path("idf.json"), TOKENIZER, SIZE)
    assert table.dtype == np.float32
    expected = {"moon": 2.5, "sea": 1.0, "the": 0.0, "tide": 1.0, "[CLS]": 0.0, "[UNK]": 0.0, "[SEP]": 0.0}
    assert {token: float(table[VOCABULARY.index(token)]) for token in expected} == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object of token: weight is expected, not list"),
        ('{"moon": "2"}', "the weight of 'moon' is '2', not a finite number"),
        ('{"moon": NaN}', "the weight of 'moon' is nan, not a finite number"),
        ('{"moon": true}', "the weight of 'moon' is True"),
    ],
)
def test_a_damaged_table(data: str, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        read_idf_table(data.encode(), Path("idf.json"), TOKENIZER, SIZE)


def test_a_table_of_another_vocabulary() -> None:
    with pytest.raises(EncoderError, match="weights the token 'lune', which the tokenizer does not have"):
        read_idf_table(b'{"lune": 1.0}', Path("idf.json"), TOKENIZER, SIZE)
