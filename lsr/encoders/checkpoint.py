"""The files of a published masked-LM checkpoint: where they are, what they say, and their hash.

Knows folders, a model hub's ids and JSON. Loads no torch; the hub's client only to fetch a checkpoint by its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lsr.encoders.manifest import IDF, TOKENIZER, digest
from lsr.errors import CorruptionError, EncoderError, MissingExtraError, UnknownEncoderError
from lsr.text.wordpiece import WordPieceTokenizer

CONFIG = "config.json"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = (TOKENIZER, "vocab.txt", "vocab.json", "merges.txt", "*.model")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `config.json`, weights and a tokenizer.

    Parameters
    ----------
    folder : Path
        Where the files are.
    name : str
        How the user asks for it: the folder's absolute path, or a hub id.
    """

    folder: Path
    name: str

    @classmethod
    def locate(cls, name: str) -> Checkpoint:
        """From a folder's path, or from a hub id "organisation/model", which is fetched where it is not yet cached.

        Raises
        ------
        UnknownEncoderError
            Neither is there.
        EncoderError
            The folder lacks the model or the tokenizer.
        """
        path = Path(name).expanduser()
        if path.exists():
            found = cls(path, str(path.resolve()))
        elif is_hub_id(name):
            found = cls(_fetch(name), name)
        else:
            raise UnknownEncoderError(f"no checkpoint at {name}", remedy="Check the path of the folder")
        found.check()
        return found

    def check(self) -> None:
        """Refuse a folder that cannot be a masked-LM checkpoint, before anything heavy is loaded."""
        if not (self.folder / CONFIG).is_file():
            raise EncoderError(
                f"{self.name} is not a model checkpoint: it has no {CONFIG}",
                remedy=f"Name a folder with {CONFIG}, model.safetensors and {TOKENIZER}",
            )
        if not self.weight_files:
            raise EncoderError(
                f"{self.name} has no weights (model.safetensors or pytorch_model.bin)",
                remedy="Fetch the whole checkpoint",
            )
        if not self.tokenizer_files:
            raise EncoderError(
                f"{self.name} has no tokenizer ({TOKENIZER} or vocab.txt)",
                remedy="Copy the tokenizer files of the model that it was trained from beside it",
            )
        architectures = self.config.get("architectures") or ["unnamed ForMaskedLM"]
        if not any("MaskedLM" in str(architecture) for architecture in architectures):
            raise EncoderError(
                f"{self.name} is {', '.join(map(str, architectures))}: it has no masked-language-model head",
                remedy="SPLADE needs a checkpoint whose architecture is *ForMaskedLM",
            )
        pooling = self._splade_pooling
        if pooling.get("activation_function", "relu") != "relu":
            raise EncoderError(
                f"{self.name} uses the activation {pooling['activation_function']!r}, lsr reads 'relu' (log1p of relu)",
                remedy="Use a checkpoint with the plain SPLADE activation",
            )

    # -- what it says ---------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """`config.json`."""
        return _read_json(self.folder / CONFIG)

    @property
    def dim(self) -> int:
        """Size of the model's vocabulary."""
        return int(self.config["vocab_size"])

    @property
    def positions(self) -> int | None:
        """Most tokens that the model can read, None where its configuration does not say."""
        limit = self.config.get("max_position_embeddings")
        if limit is None:
            return None
        # RoBERTa and its kin count positions from the padding id + 1.
        offset = int(self.config.get("pad_token_id") or 0) + 1
        kin = self.config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
        return int(limit) - (offset if kin else 0)

    @property
    def pooling(self) -> str | None:
        """What sentence-transformers' record in the folder says, None where there is none."""
        strategy = self._splade_pooling.get("pooling_strategy")
        return None if strategy is None else str(strategy)

    @property
    def idf_file(self) -> Path | None:
        """The model's own query weights, where it has them."""
        path = self.folder / IDF
        return path if path.is_file() else None

    @cached_property
    def _splade_pooling(self) -> Mapping[str, Any]:
        path = self.folder / "1_SpladePooling" / CONFIG
        return _read_json(path) if path.is_file() else {}

    # -- what it holds --------------------------------------------------------------------------------------------

    @cached_property
    def weight_files(self) -> list[Path]:
        """The files with the tensors: safetensors where there are any."""
        return next((found for pattern in _WEIGHTS if (found := sorted(self.folder.glob(pattern)))), [])

    @cached_property
    def tokenizer_files(self) -> list[Path]:
        """`tokenizer.json`, or whatever transformers can make a tokenizer of."""
        if (self.folder / TOKENIZER).is_file():
            return [self.folder / TOKENIZER]
        return sorted({found for pattern in _TOKENIZERS for found in self.folder.glob(pattern)})

    def digest(self) -> str:
        """SHA-256 over the configuration, weights, tokenizer and idf table."""
        files = [self.folder / CONFIG, *self.weight_files, *self.tokenizer_files]
        if self.idf_file is not None:
            files.append(self.idf_file)
        record = {}
        for path in files:
            with path.open("rb") as stream:
                record[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        return digest(record)

    def tokenizer(self) -> WordPieceTokenizer:
        """Its tokenizer; without torch or transformers where the folder has a `tokenizer.json`."""
        path = self.folder / TOKENIZER
        if path.is_file():
            return WordPieceTokenizer.from_file(path)
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtraError(f"a tokenizer without {TOKENIZER} ({self.name})", "torch") from None
        try:
            slow = AutoTokenizer.from_pretrained(self.folder, use_fast=True, trust_remote_code=False)
            return WordPieceTokenizer(slow.backend_tokenizer)
        except (OSError, ValueError, AttributeError) as error:
            raise EncoderError(
                f"the tokenizer of {self.name} cannot be read: {error}",
                remedy=f"Save the tokenizer as {TOKENIZER} beside the model",
            ) from error


def is_hub_id(name: str) -> bool:
    """Whether a name has the form "organisation/model" and cannot be a path that somebody meant."""
    parts = name.split("/")
    return len(parts) == 2 and all(part and part[0] not in ".~" and "\\" not in part for part in parts)


def _fetch(name: str) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError(f"fetching the checkpoint {name}", "torch") from None
    files = ["*.json", "*.txt", "*.model", "*.safetensors"]
    try:
        folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=files))
        if not any(folder.glob("*.safetensors")):
            folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=[*files, "pytorch_model*.bin"]))
    except Exception as error:  # the client's own errors, the network's, the disk's: all mean the same to the user
        raise UnknownEncoderError(
            f"no folder {name} here, and the model hub does not give it: {type(error).__name__}",
            remedy="Check the name, or download the checkpoint and name its folder",
        ) from error
    return folder


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptionError(path, f"not JSON: {error}", remedy="Fetch the checkpoint again") from None
    if not isinstance(record, dict):
        raise CorruptionError(path, f"a JSON object is expected, not {type(record).__name__}")
    return record
