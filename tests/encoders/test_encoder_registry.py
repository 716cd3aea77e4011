"""Encoders by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from encoder_checkpoints import SPLADE_TINY

from lsr.encoders import DEFAULT_ENCODER, Encoder, list_encoders, load_encoder
from lsr.encoders.onnx import OnnxEncoder
from lsr.encoders.terms import InMemoryTerms
from lsr.errors import EncoderError, InvalidSettingError, UnknownEncoderError


def test_names() -> None:
    names = [name for name, _ in list_encoders()]
    assert names == ["lsr-mini-en", "splade-tiny-doc", "splade-tiny", "bm25"]
    assert names[0] == DEFAULT_ENCODER
    assert all(description and "\n" not in description for _, description in list_encoders())


@pytest.mark.parametrize("name", [name for name, _ in list_encoders()])
def test_every_name_loads_and_gives_itself_again(name: str) -> None:
    encoder = load_encoder(name, terms=InMemoryTerms())
    assert isinstance(encoder, Encoder)
    assert encoder.name == name
    again = load_encoder(encoder.name, settings=encoder.settings, terms=InMemoryTerms())
    assert again.fingerprint == encoder.fingerprint


def test_fingerprints_differ() -> None:
    prints = {load_encoder(name, terms=InMemoryTerms()).fingerprint for name, _ in list_encoders()}
    assert len(prints) == len(list_encoders())


def test_bm25_needs_terms() -> None:
    with pytest.raises(EncoderError, match="bm25 needs a vocabulary"):
        load_encoder("bm25")
    assert load_encoder("bm25", settings={"k1": 1, "b": 0.75}, terms=InMemoryTerms()).settings["k1"] == 1


def test_none_means_the_default() -> None:
    assert load_encoder("splade-tiny", settings={"max_length": None}).max_length == 256


def test_a_folder_of_the_conversion() -> None:
    encoder = load_encoder(str(SPLADE_TINY), settings={"queries": "inference-free"})
    assert isinstance(encoder, OnnxEncoder)
    assert encoder.lexical_queries


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("splade-tny", "Did you mean 'splade-tiny'"),
        ("BM25", "Named encoders are lsr-mini-en, splade-tiny-doc, splade-tiny, bm25"),
        ("", "Named encoders"),
        ("./nowhere", "no folder of that name"),
        ("a/b/c", "no folder of that name"),
        ("/no/such", "no folder of that name"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(UnknownEncoderError, match="there is no encoder") as caught:
        load_encoder(name)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("splade-tiny", "maxlength", 9, "has no setting 'maxlength'. Did you mean 'max_length'"),
        ("splade-tiny-doc", "queries", "neural", "has no setting 'queries'"),
        (
            "splade-tiny",
            "pooling",
            "max",
            "Its settings are batch_tokens, max_length, passage_limit",
        ),
        ("bm25", "k", 1, "has no setting 'k'"),
        ("splade-tiny", "max_length", "long", "max_length of splade-tiny is 'long', it must be a whole number"),
        ("splade-tiny", "max_length", True, "it must be a whole number"),
        ("bm25", "k1", "a", "it must be a number"),
        ("bm25", "analyzer", 3, "it must be a word"),
    ],
)
def test_settings_that_there_are_not(name: str, key: str, value: str | int, message: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        load_encoder(name, settings={key: value}, terms=InMemoryTerms())
    assert message in str(caught.value)


def test_the_registry_is_light() -> None:
    code = (
        "import sys, lsr.encoders\nassert not {'torch','onnxruntime','tokenizers','Stemmer','numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
