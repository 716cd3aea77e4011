"""BM25: counts, the formula against a plain oracle, and SciFact."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.encoders.bm25 import BM25Encoder
from lsr.encoders.terms import InMemoryTerms
from lsr.errors import EncoderError, InvalidSettingError
from lsr.vectors import MAX_DIM, SparseVectors

WORDS = ["red", "green", "blue", "fish", "the", "bird", "of"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))


@given(TEXTS)
def test_documents_are_their_word_counts(texts: list[str]) -> None:
    encoder = BM25Encoder(InMemoryTerms(), analyzer="plain")
    vectors = encoder.encode_documents(texts)
    assert vectors.dim == encoder.dim == MAX_DIM
    assert len(vectors) == len(texts)
    words = [{encoder.words([term])[0]: count for term, count in row.items()} for row in vectors.to_dicts()]
    assert words == [Counter(text.split()) for text in texts]


def test_words_get_ids_in_order_of_appearance_and_keep_them() -> None:
    terms = InMemoryTerms()
    encoder = BM25Encoder(terms)
    first = encoder.encode_documents(["zebra apple zebra", "", "mango apple"])
    assert first.to_dicts() == [{0: 2.0, 1: 1.0}, {}, {1: 1.0, 2: 1.0}]
    second = encoder.encode_documents(["apple kiwi"])
    assert second.to_dicts() == [{1: 1.0, 3: 1.0}]
    assert len(SparseVectors.concat([first, second])) == 4
    assert encoder.words([3, 0]) == ["kiwi", "zebra"]


def test_queries_count_known_words_and_add_none() -> None:
    terms = InMemoryTerms()
    encoder = BM25Encoder(terms)
    encoder.encode_documents(["red fish", "blue bird"])
    queries = encoder.query_counts(["fish fish in the red sea", "unknown words only", ""])
    assert queries.to_dicts() == [{0: 1.0, 1: 2.0}, {}, {}]
    assert encoder.encode_queries(["fish fish in the red sea", "unknown words only", ""]) == queries
    assert len(terms) == 4
    assert encoder.encode_documents([]) == SparseVectors.empty(0, MAX_DIM)
    assert encoder.query_counts([]) == SparseVectors.empty(0, MAX_DIM)


def test_spans_are_known_words_where_they_stand() -> None:
    encoder = BM25Encoder(InMemoryTerms())
    encoder.encode_documents(["a function runs"])
    text = "The functions’ order: running İ functions"
    spans = encoder.spans(text)
    found = [(encoder.words([span.term])[0], text[span.start : span.end]) for span in spans]
    assert found == [("function", "functions"), ("run", "running"), ("function", "functions")]


@given(TEXTS, st.floats(0, 3), st.floats(0, 1), st.floats(0.5, 20))
def test_impacts_are_the_formula(texts: list[str], k1: float, b: float, average: float) -> None:
    encoder = BM25Encoder(InMemoryTerms(), k1=k1, b=b, analyzer="plain")
    counts = encoder.encode_documents(texts)
    impacts = encoder.impacts(counts, average)
    assert np.array_equal(impacts.terms, counts.terms)
    for row, tf_row in zip(impacts.to_dicts(), counts.to_dicts(), strict=True):
        length = sum(tf_row.values())
        for term, tf in tf_row.items():
            expected = tf / (tf + k1 * (1 - b + b * length / average))
            assert row[term] == np.float32(expected)


def test_impacts_need_an_average_length() -> None:
    encoder = BM25Encoder(InMemoryTerms())
    counts = encoder.encode_documents(["red fish"])
    for average in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidSettingError, match="average length"):
            encoder.impacts(counts, average)
    empty = encoder.encode_documents(["", "the"])
    assert encoder.impacts(empty, 0.0) == empty


def test_an_absurd_k1_gives_vectors_all_the_same() -> None:
    encoder = BM25Encoder(InMemoryTerms(), k1=1e300)
    assert encoder.impacts(encoder.encode_documents(["red fish"]), 2.0).nnz == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k1": -0.1}, r"k1 is -0\.1, it must be 0 or more"),
        ({"k1": math.nan}, "k1 is nan"),
        ({"k1": math.inf}, "k1 is inf"),
        ({"k1": "0.9"}, r"k1 is '0\.9', it must be a number"),
        ({"k1": True}, "k1 is True, it must be a number"),
        ({"b": 1.01}, r"b is 1\.01, it must be within 0 and 1"),
        ({"b": -1}, "b is -1, it must be within 0 and 1"),
        ({"b": math.nan}, "b is nan"),
        ({"b": None}, "b is None, it must be a number"),
        ({"analyzer": "german"}, r"no analyzer is called 'german'.*english, plain"),
    ],
)
def test_settings_outside_their_values_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        BM25Encoder(InMemoryTerms(), **settings)


def test_the_fingerprint_is_of_the_settings() -> None:
    def fingerprint(**settings: Any) -> str:
        return BM25Encoder(InMemoryTerms(["some", "words"]), **settings).fingerprint

    plain = BM25Encoder(InMemoryTerms())
    assert plain.fingerprint == fingerprint() == fingerprint(k1=0.9, b=0.4, analyzer="english")
    assert fingerprint(k1=1, b=0) == fingerprint(k1=1.0, b=0.0)
    others = {fingerprint(k1=1.2), fingerprint(b=0.75), fingerprint(analyzer="plain"), fingerprint(k1=0.4, b=0.9)}
    assert len(others) == 4
    assert plain.fingerprint not in others
    assert BM25Encoder(InMemoryTerms(), **dict(plain.settings)).fingerprint == plain.fingerprint  # type: ignore[arg-type]
    json.dumps(dict(plain.settings))


def test_terms_in_memory() -> None:
    terms = InMemoryTerms(["b", "a"])
    assert terms.intern(["a", "c", "c", "b"]) == [1, 2, 2, 0]
    assert terms.lookup(["c", "x"]) == [2, None]
    assert terms.words([2, 0]) == ["c", "b"]
    assert len(terms) == 3
    for unknown in (3, -1):
        with pytest.raises(EncoderError, match=f"term {unknown} is unknown: the vocabulary has 3 words"):
            terms.words([0, unknown])


@pytest.mark.parametrize(("name", "expected"), [("scifact", 0.676), ("cranfield", 0.491), ("med", 0.671)])
def test_ndcg_of_judged_collections(beir: Callable[[str], Path], name: str, expected: float) -> None:
    """The analyzer's and the formula's quality, scored in floats, without any index."""
    folder = beir(name)
    documents = list(_records(folder / "corpus.jsonl"))
    terms = InMemoryTerms()
    encoder = BM25Encoder(terms)
    counts = encoder.encode_documents([f"{record['title']} {record['text']}" for record in documents])
    weighted = encoder.impacts(counts, float(counts.weights.sum()) / len(counts))
    # In the vocabulary's own width, as the encoder's is 2**32.
    impacts = SparseVectors(weighted.indptr, weighted.terms, weighted.weights, len(terms)).to_scipy().tocsc()
    frequency = np.diff(impacts.indptr)
    idf = np.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, {})[document] = int(grade)
    texts = {record["_id"]: record["text"] for record in _records(folder / "queries.jsonl")}
    queries = encoder.query_counts([texts[query] for query in judged])
    values = []
    for row, grades in zip(queries.to_dicts(), judged.values(), strict=True):
        weights = np.zeros(len(terms))
        weights[list(row)] = list(row.values())
        best = np.argsort(-(impacts @ (weights * idf)), kind="stable")[:10]
        gains = [grades.get(documents[number]["_id"], 0) for number in best]
        values.append(_dcg(gains) / _dcg(sorted(grades.values(), reverse=True)[:10]))
    assert np.mean(values) == pytest.approx(expected, abs=0.005)


def _dcg(gains: list[int]) -> float:
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def _records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
