from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsr.encoders.base import Span
from lsr.engine.snippets import best_snippet


def spans_of(text: str) -> list[Span]:
    result, start = [], 0
    for word in text.split(" "):
        if word:
            result.append(Span(hash(word) % 1000, start, start + len(word)))
        start += len(word) + 1
    return result


def term(word: str) -> int:
    return hash(word) % 1000


def test_short_texts_are_shown_whole() -> None:
    text = "a cat on a mat"
    snippet = best_snippet(text, spans_of(text), {term("cat"): 1.0})
    assert snippet.text == text
    assert snippet.matches == ((2, 5),)


def test_the_window_goes_where_the_weight_is() -> None:
    text = "cat " + "filler " * 100 + "rare cat thing " + "filler " * 100
    snippet = best_snippet(text, spans_of(text), {term("cat"): 1.0, term("rare"): 3.0}, width=60)
    assert "rare cat" in snippet.text
    assert snippet.text.startswith("… ")
    assert snippet.text.endswith(" …")
    assert {snippet.text[start:end] for start, end in snippet.matches} == {"cat", "rare"}


def test_light_terms_are_not_marked() -> None:
    text = "the cat and the dog"
    assert best_snippet(text, spans_of(text), {term("cat"): 1.0, term("the"): 0.01}).matches == ((4, 7),)


def test_pieces_of_one_word_are_one_mark() -> None:
    spans = [Span(1, 0, 3), Span(2, 3, 6)]
    assert best_snippet("atexit", spans, {1: 1.0, 2: 1.0}).matches == ((0, 6),)


def test_without_matches_the_beginning_is_shown() -> None:
    text = "word " * 200
    snippet = best_snippet(text, spans_of(text), {}, width=50)
    assert snippet.matches == ()
    assert snippet.text.startswith("word word")
    assert len(snippet.text) <= 52


@given(st.lists(st.sampled_from(["a", "bb", "ccc", "filler", "longerword"]), max_size=120), st.integers(10, 100))
def test_marks_lie_inside_and_ascend(words: list[str], width: int) -> None:
    text = " ".join(words)
    weights = {term("bb"): 2.0, term("ccc"): 1.0}
    snippet = best_snippet(text, spans_of(text), weights, width=width)
    end = 0
    for start, stop in snippet.matches:
        assert end <= start < stop <= len(snippet.text)
        assert snippet.text[start:stop] in {"bb", "ccc"} or " " not in snippet.text[start:stop]
        end = stop
    if {"bb", "ccc"} & set(words):
        assert snippet.matches
