"""WordPiece look-up: ids, truncation, special tokens, offsets."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from encoder_checkpoints import SPLADE_TINY, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lsr.errors import CorruptionError, InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer

PATH = SPLADE_TINY / "tokenizer.json"
TOKENIZER = WordPieceTokenizer.from_file(PATH)
CLS, SEP = 101, 102

#: Words, blanks of all kinds, and what JSON can smuggle in.
texts = st.text(st.sampled_from("ab cde\t\n\r\u00a0\u3000\x1c\x00é東[]#.'\ud800\U0001f40b"), max_size=60)


PLAIN = Tokenizer.from_file(str(PATH))
PLAIN.no_truncation()
PLAIN.no_padding()
PLAIN.encode_special_tokens = True


def plain_ids(text: str) -> list[int]:
    """What the library gives with its own truncation off and nothing cut beforehand."""
    return list(PLAIN.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids)


def test_size_and_special_tokens() -> None:
    assert TOKENIZER.size == 30522
    assert TOKENIZER.tokens(TOKENIZER.special_ids) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert (TOKENIZER.pad_id, TOKENIZER.frame) == (0, 2)


def test_ids_and_spelling() -> None:
    assert TOKENIZER.tokens(TOKENIZER.ids("Tokenisers read whales!")) == [
        "token",
        "##iser",
        "##s",
        "read",
        "whales",
        "!",
    ]
    assert TOKENIZER.id("whales") == TOKENIZER.ids("whales")[0]
    assert TOKENIZER.id("no such token") is None
    assert TOKENIZER.tokens([99_999_999]) == ["[#99999999]"]


def test_special_tokens_in_a_text_are_text() -> None:
    assert TOKENIZER.tokens(TOKENIZER.ids("[SEP] [MASK]")) == ["[", "sep", "]", "[", "mask", "]"]
    assert TOKENIZER.inputs(["[SEP]"], 256)[0].count(SEP) == 1


@pytest.mark.parametrize("max_length", [3, 4, 10, 256])
def test_inputs_are_truncated_between_special_tokens(max_length: int) -> None:
    for text, row in zip(TEXTS, TOKENIZER.inputs(TEXTS, max_length), strict=True):
        tokens = plain_ids(text)[: max_length - 2]
        assert row == ([CLS, *tokens, SEP] if tokens else [])


def test_max_length_must_leave_room() -> None:
    with pytest.raises(InvalidSettingError, match="max_length is 2, it must be 3 or more"):
        TOKENIZER.inputs(["x"], 2)


@settings(deadline=None)
@given(st.lists(texts, max_size=4), st.integers(3, 12))
def test_inputs_equal_the_library_whatever_is_cut(batch: list[str], max_length: int) -> None:
    rows = TOKENIZER.inputs([text * 20 for text in batch], max_length)
    for text, row in zip(batch, rows, strict=True):
        assert row[1:-1] == plain_ids(text * 20)[: max_length - 2]


@pytest.mark.parametrize("text", ["x" * 100_000, "- " * 50_000, " " * 100_000 + "end", "x" * 5_000 + " end"])
def test_long_odd_texts(text: str) -> None:
    assert TOKENIZER.inputs([text], 16)[0][1:-1] == plain_ids(text)[:14]


@settings(deadline=None)
@given(texts)
def test_offsets_point_at_the_tokens(text: str) -> None:
    ids = []
    for token, start, end in TOKENIZER.offsets(text):
        assert 0 <= start < end <= len(text)
        ids.append(token)
    assert ids == [token for token in plain_ids(text) if token not in TOKENIZER.special_ids]


def test_offsets_are_characters() -> None:
    text = "Ångström 東京 [MASK] 🐋 whales"
    spelled = [text[start:end] for _, start, end in TOKENIZER.offsets(text)]
    # The picture of a whale is an unknown token, and so none.
    assert spelled == ["Ång", "ström", "東", "京", "[", "MASK", "]", "whales"]


def test_threads_may_share_it() -> None:
    alone = [TOKENIZER.ids(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            assert list(pool.map(TOKENIZER.ids, TEXTS)) == alone


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": "none"}))
    with pytest.raises(CorruptionError, match=r"tokenizer\.json is damaged: not a tokenizer"):
        WordPieceTokenizer.from_file(path)
