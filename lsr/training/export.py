"""A trained model to where it is used: onnxruntime without torch, sentence-transformers, OpenSearch.

Knows a run's folder and what travels with its model. The formats themselves are written by `lsr.encoders.export` and
`lsr.encoders.convert`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.export import FORMATS as LAYOUTS
from lsr.encoders.export import export_checkpoint
from lsr.encoders.new_folder import check_new, new_folder
from lsr.encoders.settings import Setting
from lsr.errors import EncoderError, InvalidSettingError
from lsr.training.checkpoints import trained_model

FORMATS = ("onnx", *LAYOUTS)
#: Of onnx, unless others are asked for.
PRECISIONS = ("float32", "int8")
#: What a model says about itself, copied beside it.
_CARD = ("README.md", "recipe.toml", "run.png")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: from which folder, and the bytes of the whole."""

    source: str
    bytes: int


def export_model(
    path: str,
    target: Path,
    *,
    format: str,
    precisions: Sequence[str] = (),
    name: str = "",
    source: str = "",
    licence: str = "",
    max_length: int | None = None,
    prune: float = 0.0,
    settings: Mapping[str, Setting] | None = None,
) -> Exported:
    """Write a checkpoint, or the model of a run's folder, for another tool.

    Parameters
    ----------
    path : str
        A run's folder (its `model/`, else its last complete checkpoint), a checkpoint's folder, or its hub id.
    target : Path
        A folder that is empty or not there; it has its name only once it is whole. The model's card goes with it.
    format : str
        onnx: what `load_encoder` runs without torch, as the carried model is. sentence-transformers, opensearch,
        masked-lm: as `lsr.encoders.export` writes them; the weights stay as they are.
    precisions : sequence of str
        Of onnx: float32, float16, int8; by default float32 and int8.
    name, source, licence : str
        Of onnx: what its manifest shall say; by default the folder's name, where it was, and "not stated".
    max_length : int, optional
        Tokens of a text that are read unless a setting says otherwise; 256 where the model can read so many.
    prune : float
        Of onnx: share of a document's greatest idf · weight under which a term is dropped, unless a setting says
        otherwise (`lsr.encoders.masked_lm`).
    settings : mapping, optional
        Of the encoder, as `load_encoder` takes them; not for onnx.

    Raises
    ------
    InvalidSettingError
        An unknown format or precision, one that cannot say what this encoder does, or a folder with something in it.
    EncoderError, UnknownEncoderError
        No checkpoint there, none of that format's kind, or a tokenizer that knows more tokens than the model.
    MissingExtraError
        The format needs a package that is not installed.
    """
    if format not in FORMATS:
        raise InvalidSettingError(f"format is {format!r}, it must be one of {', '.join(FORMATS)}")
    only = {"prune": prune, "precisions": precisions, "name": name, "source": source, "licence": licence}
    if format != "onnx" and (given := [option for option, value in only.items() if value]):
        raise InvalidSettingError(f"{format} has no place for {', '.join(given)}", remedy="Only onnx has: leave it out")
    check_new(target)
    place = Path(path).expanduser()
    found = Checkpoint.locate(str(trained_model(place)) if place.is_dir() else path)
    found.check()
    _check_vocabulary(found)
    with new_folder(target) as made:
        if format == "onnx":
            if settings:
                raise InvalidSettingError("onnx takes no settings of an encoder", remedy="Leave them out")
            from lsr.encoders.convert import convert_checkpoint

            convert_checkpoint(
                found.folder,
                made,
                name=name or _name(place, found),
                source=source or found.name,
                licence=licence or "not stated",
                max_length=found.reading_length(max_length, 256),
                prune=prune,
                precisions=precisions or PRECISIONS,
            )
        else:
            _layout(found, made, format, {**(settings or {}), "max_length": max_length})
        for file in _CARD:
            if (found.folder / file).is_file():
                shutil.copyfile(found.folder / file, made / file)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    return Exported(found.name, size)


def _layout(found: Checkpoint, made: Path, format: str, settings: Mapping[str, Setting]) -> None:
    from lsr.encoders.neural import NeuralEncoder
    from lsr.encoders.registry import load_encoder

    encoder = load_encoder(found.name, settings={key: value for key, value in settings.items() if value is not None})
    if not isinstance(encoder, NeuralEncoder):
        raise EncoderError(f"{found.name} is no checkpoint that can be written so", remedy="Name a checkpoint's folder")
    export_checkpoint(encoder, made, format=format)


def _name(given: Path, found: Checkpoint) -> str:
    """The run's name rather than `model`."""
    return (given if given.is_dir() else found.folder).resolve().name


def _check_vocabulary(found: Checkpoint) -> None:
    size = found.tokenizer().size
    if "vocab_size" in found.config and size > found.dim:
        raise EncoderError(
            f"the tokenizer of {found.name} has {size} tokens, its model {found.dim}",
            remedy="Use the tokenizer that was published with this model",
        )
