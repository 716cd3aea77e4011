"""The analyzers: what becomes of words, and that places point back at them."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.errors import InvalidSettingError
from lsr.text import ANALYZERS, get_analyzer
from lsr.text.analyzer import REMEMBERED_LENGTH, REMEMBERED_WORDS
from lsr.text.plain import PlainAnalyzer
from lsr.text.unicode_words import _ASCII_WORD, _any_word

TEXTS = st.text(max_size=60) | st.text("aZ9_'’ ́.İßΣ東ひคाि\n", max_size=30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Run a function when the program ends", ["run", "function", "when", "program", "end"]),
        ("The dog's bones; John’s and James' too", ["dog", "bone", "john", "jame", "too"]),
        ("don't can’t won't it's", []),
        ("vitamin C, T-cells, C++", ["vitamin", "c", "t", "cell", "c"]),
        ("os.path.join read_csv", ["os", "path", "join", "read", "csv"]),
        ("O'Neill", ["o'neil"]),
        ("generously GENEROUS running flies", ["generous", "generous", "run", "fli"]),
        ("3.11 and 2024-05-01", ["3", "11", "2024", "05", "01"]),
        ("naïve nai\u0308ve", ["naïv", "naïv"]),
    ],
)
def test_english(text: str, words: list[str]) -> None:
    assert get_analyzer("english").words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Dog's", ["the", "dog's"]),
        ("don’t don't", ["don't", "don't"]),
        ("'quoted' rock'n'roll '", ["quoted", "rock'n'roll"]),
        ("ÉTÉ E\u0301TE\u0301", ["été", "été"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京タワー ひらかな", ["東", "京", "タワー", "ひ", "ら", "か", "な"]),
        ("مُحَمَّد שָׁלוֹם", ["مُحَمَّد", unicodedata.normalize("NFC", "שָׁלוֹם")]),
        ("ГОСТ 12-й", ["гост", "12", "й"]),
        ("__init__ a_b", ["init", "a", "b"]),
        ("\u0301 , . ' _", []),
    ],
)
def test_plain(text: str, words: list[str]) -> None:
    assert get_analyzer("plain").words(text) == words


@given(TEXTS)
def test_tokens_give_the_words_and_their_places(text: str) -> None:
    for name in ANALYZERS:
        analyzer = get_analyzer(name)
        tokens = analyzer.tokens(text)
        assert [token.word for token in tokens] == analyzer.words(text)
        end = 0
        for token in tokens:
            assert end <= token.start < token.end <= len(text)
            end = token.end
            # The place holds one raw word, which gives the same token alone.
            assert analyzer.normalise(text[token.start : token.end]) == token.word


@given(TEXTS)
def test_plain_words_are_folded_and_cover_every_letter(text: str) -> None:
    places = {i for token in get_analyzer("plain").tokens(text) for i in range(token.start, token.end)}
    assert {i for i, sign in enumerate(text) if sign.isalnum()} <= places
    assert all(word == word.lower() and word for word in get_analyzer("plain").words(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_the_fast_pattern_for_ascii_finds_what_the_general_one_finds(text: str) -> None:
    assert _ASCII_WORD.findall(text) == _any_word().findall(text)


def test_a_long_row_of_marks_takes_linear_time() -> None:
    text = "a" + "'\u0301" * 50_000 + "é" * 50_000
    assert len(get_analyzer("plain").words(text)) == 2


def test_long_words_are_analysed_but_not_remembered() -> None:
    analyzer = PlainAnalyzer()
    word = "A" * (REMEMBERED_LENGTH + 1)
    assert analyzer.words(f"{word} short") == [word.lower(), "short"]
    assert list(analyzer._normalised) == ["short"]


def test_memory_is_bounded() -> None:
    analyzer = PlainAnalyzer()
    text = " ".join(f"w{number}" for number in range(REMEMBERED_WORDS + 10))
    assert len(analyzer.words(text)) == REMEMBERED_WORDS + 10
    assert len(analyzer._normalised) <= REMEMBERED_WORDS


def test_threads_share_an_analyzer() -> None:
    texts = [f"running{number} the generous dogs' {number}" for number in range(500)]
    analyzer = get_analyzer("english")
    expected = [analyzer.words(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(type(analyzer)().words, texts)) == expected


def test_an_unknown_analyzer_is_refused_with_the_choice() -> None:
    with pytest.raises(InvalidSettingError, match=r"no analyzer is called 'klingon'.*english, plain"):
        get_analyzer("klingon")


def test_versions_tell_analyzers_apart() -> None:
    assert get_analyzer("english") is get_analyzer("english")
    identities = {(get_analyzer(name).name, get_analyzer(name).version) for name in ANALYZERS}
    assert {name for name, _ in identities} == set(ANALYZERS)
    assert all(version for _, version in identities)
