"""The files of a published checkpoint: where they are, what they say, and their hash.

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
from lsr.errors import CorruptionError, EncoderError, InvalidSettingError, MissingExtraError, UnknownEncoderError
from lsr.text.wordpiece import WordPieceTokenizer

CONFIG, ADAPTER = "config.json", "adapter_config.json"
_WEIGHTS = ("model*.safetensors", "adapter_model.safetensors", "*.safetensors", "pytorch_model*.bin")
#: Heads beside the model's own weights, as COIL and BGE-M3 keep them, and our own.
_HEADS = ("model.pt", "sparse_linear.pt", "sparse_linear.safetensors", "heads.safetensors")
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
    tokenizer_folder, config_folder : Path, optional
        Where the tokenizer and the model's configuration are, if not in `folder`.
    """

    folder: Path
    name: str
    tokenizer_folder: Path | None = None
    config_folder: Path | None = None

    @classmethod
    def locate(cls, name: str) -> Checkpoint:
        """From a folder's path, or from a hub id "organisation/model", which is fetched where it is not yet cached.

        Raises
        ------
        UnknownEncoderError
            Neither is there.
        """
        path = Path(name).expanduser()
        if path.exists():
            found = cls(path, str(path.resolve()))
        elif is_hub_id(name):
            found = cls(_fetch(name), name)
        else:
            raise UnknownEncoderError(f"no checkpoint at {name}", remedy="Check the path of the folder")
        return found

    def check(self) -> None:
        """Refuse a folder that cannot be a model's, before anything heavy is loaded."""
        if not ((self.config_folder or self.folder) / CONFIG).is_file() and not (self.folder / ADAPTER).is_file():
            raise EncoderError(
                f"{self.name} is not a model checkpoint: it has no {CONFIG}",
                remedy=f"Name a folder with {CONFIG}, model.safetensors and {TOKENIZER}",
            )
        if not self.weight_files:
            raise EncoderError(
                f"{self.name} has no weights (model.safetensors or pytorch_model.bin)",
                remedy="Fetch the whole checkpoint",
            )
        self.check_tokenizer()

    def check_tokenizer(self) -> None:
        """Refuse a folder without a tokenizer."""
        if not self.tokenizer_files:
            raise EncoderError(
                f"{self.name} has no tokenizer ({TOKENIZER} or vocab.txt)",
                remedy="Copy the tokenizer files of the model that it was trained from beside it",
            )

    # -- what it says ---------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """`config.json`; of an adapter, its base model's."""
        path = (self.config_folder or self.folder) / CONFIG
        return self.base().config if not path.is_file() else read_json(path)

    @property
    def architectures(self) -> list[str]:
        """What the configuration says that the model is; empty where it does not."""
        return [str(name) for name in self.config.get("architectures") or []]

    @property
    def remote_code(self) -> dict[str, str]:
        """The classes of its own that the checkpoint wants to be loaded with, by what they stand for."""
        found = self.config.get("auto_map") or {}
        return {str(kind): str(name).rpartition(".")[2] for kind, name in dict(found).items() if "Model" in str(kind)}

    def base(self) -> Checkpoint:
        """The model that an adapter was trained on.

        Raises
        ------
        EncoderError, UnknownEncoderError
            This is no adapter, or its base model is not there.
        """
        path = self.folder / ADAPTER
        if not path.is_file():
            raise EncoderError(
                f"{self.name} is not a model checkpoint: it has no {CONFIG}",
                remedy=f"Name a folder with {CONFIG}, model.safetensors and {TOKENIZER}",
            )
        name = str(read_json(path).get("base_model_name_or_path") or "")
        return Checkpoint.named_in(self.folder, name)

    @classmethod
    def named_in(cls, folder: Path, name: str) -> Checkpoint:
        """A checkpoint that the files in `folder` name: a path, from there or absolute, or a hub id."""
        for path in (folder / name, Path(name).expanduser()):
            if name and path.is_dir():
                return cls(path, str(path.resolve()))
        if not is_hub_id(name):
            raise UnknownEncoderError(
                f"{folder} names its base model {name!r}, which is not there",
                remedy="Put the base model's folder where it says, or correct the name",
            )
        return cls(_fetch(name), name)

    def configured(self) -> Checkpoint:
        """The same with `folder` where the configuration is."""
        return self if self.config_folder is None else Checkpoint(self.config_folder, self.name)

    @property
    def dim(self) -> int:
        """Size of the model's vocabulary."""
        try:
            return int(self.config["vocab_size"])
        except (KeyError, TypeError, ValueError):
            raise EncoderError(f"{self.name} does not say how many tokens it knows (vocab_size)") from None

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

    def reading_length(self, wanted: int | None, usual: int) -> int:
        """Tokens that are read of a text: `wanted`, or `usual` where that is None and the model can read so many.

        Raises `InvalidSettingError` where the model cannot read `wanted`.
        """
        limit = self.positions or usual
        length = min(usual, limit) if wanted is None else wanted
        if not 3 <= length <= limit:
            raise InvalidSettingError(f"max_length is {length}, {self.name} reads between 3 and {limit} tokens")
        return length

    @property
    def idf_file(self) -> Path | None:
        """The model's own query weights, where it has them."""
        path = self.folder / IDF
        return path if path.is_file() else None

    # -- what it holds --------------------------------------------------------------------------------------------

    @cached_property
    def weight_files(self) -> list[Path]:
        """The files with the tensors: safetensors where there are any."""
        return next((found for pattern in _WEIGHTS if (found := sorted(self.folder.glob(pattern)))), [])

    @cached_property
    def head_files(self) -> list[Path]:
        """Files of a head beside the weights."""
        return [self.folder / name for name in _HEADS if (self.folder / name).is_file()]

    @cached_property
    def tokenizer_files(self) -> list[Path]:
        """`tokenizer.json`, or whatever transformers can make a tokenizer of."""
        folder = self.tokenizer_folder or self.folder
        if (folder / TOKENIZER).is_file():
            return [folder / TOKENIZER]
        found = sorted({found for pattern in _TOKENIZERS for found in folder.glob(pattern)})
        if not found and (self.folder / ADAPTER).is_file():
            return self.base().tokenizer_files
        return found

    def digest(self) -> str:
        """SHA-256 over configuration, weights, tokenizer and idf table; of an adapter, over its base model's too."""
        adapter = self.folder / ADAPTER
        config = adapter if adapter.is_file() else (self.config_folder or self.folder) / CONFIG
        weights = [path for path in self.weight_files if path not in self.head_files]
        files = [config, *weights, *self.head_files, *self.tokenizer_files]
        if self.idf_file is not None:
            files.append(self.idf_file)
        record = {}
        for path in files:
            with path.open("rb") as stream:
                record[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        if adapter.is_file():
            record["base"] = self.base().digest()
        return digest(record)

    def tokenizer(self) -> WordPieceTokenizer:
        """Its tokenizer; without torch or transformers where the folder has a `tokenizer.json`."""
        files = self.tokenizer_files
        if files and files[0].name == TOKENIZER:
            return WordPieceTokenizer.from_file(files[0])
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtraError(f"a tokenizer without {TOKENIZER} ({self.name})", "torch") from None
        try:
            slow = AutoTokenizer.from_pretrained(
                files[0].parent if files else self.folder, use_fast=True, trust_remote_code=False
            )
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
    files = ["*.json", "*.txt", "*.model", "*.safetensors", "sparse_linear.pt"]
    try:
        folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=files))
        if not any(folder.glob("*.safetensors")):
            more = [*files, "pytorch_model*.bin", "*.pt"]
            folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=more))
    except Exception as error:  # the client's own errors, the network's, the disk's: all mean the same to the user
        raise UnknownEncoderError(
            f"no folder {name} here, and the model hub does not give it: {type(error).__name__}",
            remedy="Check the name, or download the checkpoint and name its folder",
        ) from error
    return folder


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a checkpoint's file; CorruptionError where there is none in it."""
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptionError(path, f"not JSON: {error}", remedy="Fetch the checkpoint again") from None
    if not isinstance(record, dict):
        raise CorruptionError(path, f"a JSON object is expected, not {type(record).__name__}")
    return record
