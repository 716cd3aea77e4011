"""Long documents by passages."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from encoder_checkpoints import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr import Document, Index
from lsr.encoders.passages import PassageEncoder
from lsr.encoders.registry import load_encoder
from lsr.engine.passages import best_passage
from lsr.errors import EncoderError, InvalidSettingError

INNER = load_encoder("splade-tiny-doc")
LONG = " ".join(f"Sentence {number} speaks of whales and of the tide." for number in range(300))


def passages(tokens: int = 20, overlap: int | None = None, limit: int | None = None) -> PassageEncoder:
    return PassageEncoder(INNER, passage_tokens=tokens, passage_overlap=overlap, passage_limit=limit)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["whale", "tides", "a", "unbelievably", "x" * 40, "東京", "é", "…"]), max_size=60),
    st.sampled_from([" ", "  ", "\n"]),
    st.integers(4, 30),
    st.integers(0, 3),
)
def test_passages_cover_the_text_in_order(words: list[str], blank: str, tokens: int, overlap: int) -> None:
    text = blank.join(words)
    found = list(passages(tokens, overlap).passages(text))
    assert found[0][0] == 0
    assert found[-1][1] == len(text)
    for (start, end), (begin, stop) in itertools.pairwise(found):
        assert start < begin
        assert end < stop
        assert not text[end:begin].strip()  # nothing between them but blanks
    wide = max((len(INNER._tokenizer.ids(word)) for word in words), default=0)  # type: ignore[attr-defined]
    for start, end in found:
        count = len(INNER._tokenizer.ids(text[start:end]))  # type: ignore[attr-defined]
        assert count <= max(tokens, wide)


def test_a_short_text_has_the_encoders_own_vector() -> None:
    wide = passages(200)
    short = [text for text in TEXTS if len(text) < 300]
    assert wide.encode_documents(short) == INNER.encode_documents(short)
    assert wide.encode_documents([]).dim == INNER.dim
    assert wide.encode_queries(["tides"]) == INNER.encode_queries(["tides"])


def test_a_long_text_has_the_maxima_of_its_passages() -> None:
    encoder = passages(30, 5)
    ranges = list(encoder.passages(LONG))
    assert len(ranges) > 100
    expected = INNER.encode_documents([LONG[start:end] for start, end in ranges]).to_dense().max(0)
    found = encoder.encode_documents(["", LONG, "a tide", LONG]).to_dense()
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    np.testing.assert_allclose(found[3], expected, atol=1e-5)
    np.testing.assert_allclose(found[2], INNER.encode_documents(["a tide"]).to_dense()[0], atol=1e-5)
    assert not found[0].any()
    few = passages(30, 5, limit=2).encode_documents([LONG]).to_dense()[0]
    first = INNER.encode_documents([LONG[start:end] for start, end in ranges[:2]]).to_dense().max(0)
    np.testing.assert_allclose(few, first, atol=1e-5)


def test_memory_does_not_grow_with_the_text() -> None:
    encoder = passages(250, 0, limit=3)
    text = "tide " * 2_000_000
    tracemalloc.start()
    encoder.encode_documents([text])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20


def test_an_index_finds_the_end_of_a_long_document_and_shows_where(tmp_path: Path) -> None:
    filler = " ".join(f"The committee met on day {number} and spoke of budgets." for number in range(120))
    text = f"{filler} A blue whale was seen near the harbour. {filler}"
    setting = {"passage_tokens": 40, "passage_overlap": 10, "threads": 1}
    documents = [Document("long", text, title="Minutes"), Document("other", filler)]
    with Index.create(tmp_path / "index", encoder_settings=setting) as index:
        index.add(documents)
        assert dict(index.encoder.settings)["passage_tokens"] == 40
        assert index.search("blue whale").hits[0].document.id == "long"
        place = best_passage(index, "long", "blue whale")
        content = index.document("long").content
        assert "blue whale" in content[place.start : place.end]
        assert place.end - place.start < 400
        assert place.score > 0
    with Index.open(tmp_path / "index") as index:
        assert index.search("blue whale").hits[0].document.id == "long"
    with Index.create(tmp_path / "plain") as index:
        index.add(documents)
        assert not index.search("blue whale").hits  # beyond what the network reads
        with pytest.raises(EncoderError, match="does not read documents by passages"):
            best_passage(index, "long", "blue whale")


def test_settings() -> None:
    encoder = load_encoder("splade-tiny", settings={"passage_tokens": 64})
    assert dict(encoder.settings) == {"max_length": 256, "passage_tokens": 64, "passage_overlap": 16}
    again = load_encoder(encoder.name, settings=encoder.settings)
    assert again.fingerprint == encoder.fingerprint
    others = [{"passage_tokens": 65}, {"passage_tokens": 64, "passage_overlap": 8}, {}]
    assert len({load_encoder("splade-tiny", settings=other).fingerprint for other in [*others, encoder.settings]}) == 4


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"passage_tokens": 0}, "passage_tokens is 0"),
        ({"passage_tokens": 255}, "reads 1 to 254 of a text"),
        ({"passage_tokens": 10, "passage_overlap": 10}, "passage_overlap is 10"),
        ({"passage_tokens": 10, "passage_limit": 0}, "passage_limit is 0"),
        ({"passage_overlap": 3}, "mean nothing without passage_tokens"),
    ],
)
def test_refusals(chosen: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        load_encoder("splade-tiny", settings=chosen)
