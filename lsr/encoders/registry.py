"""Encoders by name: which there are, and how one is made from a name and settings.

Light to import: what an encoder needs is imported when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsr.encoders.base import Encoder, TermDictionary
from lsr.encoders.settings import Setting
from lsr.errors import EncoderError, InvalidSettingError, UnknownEncoderError

DEFAULT_ENCODER = "lsr-mini-en"

#: The folder of the encoders that come with the package.
CARRIED = Path(__file__).parent / "carried"

Make = Callable[[str, Mapping[str, Any], TermDictionary | None], Encoder]


@dataclass(frozen=True, slots=True)
class _Entry:
    """How an encoder is made: `kinds` gives the type of each setting that it takes (None stands for "not set")."""

    description: str
    kinds: Mapping[str, type]
    make: Make


def load_encoder(
    name: str, *, settings: Mapping[str, Setting] | None = None, terms: TermDictionary | None = None
) -> Encoder:
    """The encoder of that name.

    Parameters
    ----------
    name : str
        One of `list_encoders`; or the path of a folder with a checkpoint of any family (`lsr.encoders.layouts`), or
        with an encoder that `convert_checkpoint` wrote; or a checkpoint's hub id, "organisation/model".
    settings : mapping of str to str, int, float, bool or None, optional
        Keyword settings of the encoder. Those of which vectors depend are in its `settings` afterwards; `threads`,
        `device` and `batch_tokens` only say how it runs.
    terms : TermDictionary, optional
        The collection's vocabulary; "bm25" and DeepImpact need it.

    Raises
    ------
    UnknownEncoderError
        No encoder has that name and no checkpoint is there.
    InvalidSettingError
        A setting that the encoder does not have, or outside its legal values.
    EncoderError
        The checkpoint cannot be used.
    MissingExtraError
        It needs torch, which is not installed.
    """
    entry = _NAMED.get(name) or _checkpoint_entry(name)
    chosen = {} if settings is None else dict(settings)
    kinds = entry.kinds if name == "bm25" else {**entry.kinds, **_PASSAGE_KINDS}
    _check_settings(name, chosen, kinds)
    cut = {key: chosen.pop(key) for key in _PASSAGE_KINDS if key in chosen}
    encoder = entry.make(name, chosen, terms)
    if cut.get("passage_tokens") is None:
        if any(value is not None for value in cut.values()):
            raise InvalidSettingError(f"{', '.join(cut)} mean nothing without passage_tokens", remedy="Set it too")
        return encoder
    from lsr.encoders.passages import PassageEncoder

    return PassageEncoder(encoder, **_given(cut))


def list_encoders() -> list[tuple[str, str]]:
    """Name and one line of description of each encoder that has a name, the default first."""
    return [(name, entry.description) for name, entry in _NAMED.items()]


def _check_settings(name: str, settings: Mapping[str, Setting], kinds: Mapping[str, type]) -> None:
    for key, value in settings.items():
        if key not in kinds:
            known = ", ".join(sorted(kinds))
            close = difflib.get_close_matches(key, kinds, n=1)
            remedy = f"Did you mean {close[0]!r}?" if close else f"Its settings are {known}"
            raise InvalidSettingError(f"the encoder {name} has no setting {key!r}", remedy=remedy.rstrip("."))
        kind = kinds[key]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if value is not None and (not fits or isinstance(value, bool)):
            raise InvalidSettingError(
                f"the setting {key} of {name} is {value!r}, it must be {_KINDS[kind]}", remedy="Correct its value"
            )


_KINDS = {str: "a word", int: "a whole number", float: "a number"}


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that are None: the encoder's own defaults hold for them."""
    return {key: value for key, value in settings.items() if value is not None}


def _carried(folder: str, queries: str) -> Make:
    def make(name: str, settings: Mapping[str, Any], terms: TermDictionary | None) -> Encoder:
        from lsr.encoders.onnx import OnnxEncoder

        return OnnxEncoder(CARRIED / folder, name=name, queries=queries, **_given(settings))

    return make


def _bm25(name: str, settings: Mapping[str, Any], terms: TermDictionary | None) -> Encoder:
    from lsr.encoders.bm25 import BM25Encoder

    return BM25Encoder(_needed(terms, name), **_given(settings))


def _onnx_folder(name: str, settings: Mapping[str, Any], terms: TermDictionary | None) -> Encoder:
    from lsr.encoders.onnx import OnnxEncoder

    return OnnxEncoder(Path(name).expanduser(), **_given(settings))


def _torch_checkpoint(name: str, settings: Mapping[str, Any], terms: TermDictionary | None) -> Encoder:
    from lsr.encoders.checkpoint import Checkpoint
    from lsr.encoders.families.deepimpact import DeepImpactEncoder, is_deepimpact
    from lsr.encoders.layouts.own import read_record

    found = Checkpoint.locate(name)
    record = read_record(found.folder) or {}
    if is_deepimpact(found):
        _check_settings(name, settings, _OWN_TERMS_KINDS)
        return DeepImpactEncoder(name, _needed(terms, name), **_given(settings))
    if record.get("family") == "ngrams":
        from lsr.encoders.families.ngrams import NgramEncoder

        _check_settings(name, settings, _OWN_TERMS_KINDS)
        return NgramEncoder(name, record=record, **_given(settings))
    from lsr.encoders.neural import NeuralEncoder

    return NeuralEncoder(name, **_given(settings))


def _needed(terms: TermDictionary | None, name: str) -> TermDictionary:
    if terms is None:
        raise EncoderError(
            f"{name} needs a vocabulary to give its words ids",
            remedy="Pass terms=InMemoryTerms() of lsr.encoders.terms",
        )
    return terms


#: Of long documents by passages, for every encoder whose terms are tokens.
_PASSAGE_KINDS: dict[str, type] = {"passage_tokens": int, "passage_overlap": int, "passage_limit": int}
#: Of encoders with terms of their own.
_OWN_TERMS_KINDS: dict[str, type] = {"max_length": int, "device": str, "batch_tokens": int}
_ONNX_KINDS: dict[str, type] = {
    "max_length": int,
    "prune": float,
    "precision": str,
    "threads": int,
    "batch_tokens": int,
}

_NAMED = {
    "lsr-mini-en": _Entry(
        "our English model (22M parameters) for documents, look-up for queries: no network at search time (default)",
        _ONNX_KINDS,
        _carried("lsr-mini-en", "inference-free"),
    ),
    "splade-tiny-doc": _Entry(
        "splade-tiny for documents, look-up for queries: three times as fast to index with, less good",
        _ONNX_KINDS,
        _carried("splade-tiny", "inference-free"),
    ),
    "splade-tiny": _Entry(
        "a carried SPLADE model (4.4M parameters, English) for documents and for queries",
        _ONNX_KINDS,
        _carried("splade-tiny", "neural"),
    ),
    "bm25": _Entry(
        "BM25 over the words of an analyzer: no model",
        {"k1": float, "b": float, "analyzer": str},
        _bm25,
    ),
}

_ONNX_FOLDER = _Entry("a converted checkpoint", {**_ONNX_KINDS, "queries": str}, _onnx_folder)
_TORCH_CHECKPOINT = _Entry(
    "a published checkpoint, through torch",
    {
        "family": str,
        "pooling": str,
        "activation": str,
        "queries": str,
        "max_length": int,
        "prune": float,
        "special_tokens": str,
        "precision": str,
        "remote_code": str,
        "device": str,
        "batch_tokens": int,
    },
    _torch_checkpoint,
)


def _checkpoint_entry(name: str) -> _Entry:
    """The entry for a name that is a folder or a hub id."""
    from lsr.encoders.checkpoint import is_hub_id
    from lsr.encoders.manifest import FILE_NAME

    path = Path(name).expanduser()
    if name and (path / FILE_NAME).is_file():
        return _ONNX_FOLDER
    if name and (path.is_dir() or (is_hub_id(name) and not path.exists())):
        return _TORCH_CHECKPOINT
    close = difflib.get_close_matches(name, _NAMED, n=1, cutoff=0.5)
    remedy = f"Did you mean {close[0]!r}? " if close else ""
    raise UnknownEncoderError(
        f"there is no encoder {name!r}, and no folder of that name with a checkpoint",
        remedy=f"{remedy}Named encoders are {', '.join(_NAMED)}",
    )
