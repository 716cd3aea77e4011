"""What a converted encoder is: the record `manifest.json` beside `model.onnx` and `tokenizer.json`.

Knows names, hashes and sizes, so that an encoder's fingerprint costs no more than reading a small JSON file.
Knows nothing of what is in the files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lsr.errors import CorruptionError, EncoderError

FORMAT = "lsr-onnx-encoder"
FORMAT_VERSION = 1
FILE_NAME = "manifest.json"
MODEL, MODEL_HALF, MODEL_INT8 = "model.onnx", "model.fp16.onnx", "model.int8.onnx"
#: The file of the network for each precision.
MODELS = {"float32": MODEL, "float16": MODEL_HALF, "int8": MODEL_INT8}
TOKENIZER, IDF = "tokenizer.json", "idf.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A converted encoder.

    Parameters
    ----------
    name : str
        What the encoder is called.
    source : str
        Where the checkpoint came from.
    licence : str
        SPDX identifier of the licence of the weights.
    upstream : dict of str to str
        SHA-256 of each file that was converted or copied, by its name upstream.
    files : dict of str to str
        SHA-256 of each file here.
    dim : int
        Size of the vocabulary, the columns of the model's output.
    pooling : str
        `max`: the only one that is converted.
    activation : str
        `log1p_relu`: what follows the pooling.
    max_length : int
        Tokens of a text that are read unless a setting says otherwise, special tokens included.
    positions : int
        Most tokens that the model can read.
    special_tokens : dict of str to int
        Their ids; they weigh nothing in documents and queries.
    prune : float
        Of documents, unless a setting says otherwise; see `lsr.encoders.masked_lm`. Absent in older records: 0.
    format, format_version :
        What this record is.
    """

    name: str
    source: str
    licence: str
    upstream: dict[str, str]
    files: dict[str, str]
    dim: int
    pooling: str
    activation: str
    max_length: int
    positions: int
    special_tokens: dict[str, int]
    prune: float = 0.0
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The text of the file; equal manifests give equal bytes."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder.

        Raises
        ------
        EncoderError
            No manifest there, or one of another format or version.
        CorruptionError
            It cannot be read as one.
        """
        path = folder / FILE_NAME
        try:
            record: Any = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise EncoderError(
                f"{folder} holds no {FILE_NAME}", remedy="Make it with `lsr export --format onnx`"
            ) from None
        except ValueError as error:
            raise CorruptionError(path, f"not JSON: {error}", remedy=_FETCH_AGAIN) from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise EncoderError(
                f"{path} is not the manifest of a converted encoder", remedy="Name a folder that the conversion wrote"
            )
        if record.get("format_version") != FORMAT_VERSION:
            raise EncoderError(
                f"{path} has format version {record.get('format_version')!r}, this version of lsr reads "
                f"{FORMAT_VERSION}",
                remedy="Convert the checkpoint again, or use the version of lsr that wrote it",
            )
        odd = {field.name for field in fields(cls)} ^ (set(record) | {"prune"})
        if odd:
            raise CorruptionError(path, f"fields missing or unknown: {sorted(odd)}", remedy=_FETCH_AGAIN)
        return cls(**record)

    def load(self, folder: Path, name: str) -> bytes:
        """The content of one file, compared with its hash.

        Raises
        ------
        CorruptionError
            It is not what was written, or is gone.
        """
        path = folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise CorruptionError(path, "the file is gone", remedy=_FETCH_AGAIN) from None
        found = sha256(data)
        if found != self.files.get(name):
            raise CorruptionError(
                path, f"its SHA-256 is {found}, the manifest has {self.files.get(name)}", remedy=_FETCH_AGAIN
            )
        return data


_FETCH_AGAIN = "Install lsr-engine again, or convert the checkpoint again"


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def digest(record: object) -> str:
    """Hexadecimal SHA-256 of a JSON value in one canonical spelling: what fingerprints are made of."""
    return sha256(json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
