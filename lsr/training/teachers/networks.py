"""Networks of teachers on the best device there is: sentence embeddings, and scores of pairs by a cross-encoder.

Knows checkpoints and token ids. Knows nothing of prepared data, caches or recipes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.quiet import quiet_transformers
from lsr.errors import CorruptionError, MissingExtraError, TrainingDataError, TrainingError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.training.data.ragged import Ragged

#: Tokens of a batch, padding included, on a GPU and on a CPU.
_TOKENS = {"cuda": 1 << 18, "cpu": 1 << 12}
#: Rows of a batch at most.
_ROWS = 4096
#: Pieces of a file of weights that are looked at.
_PIECES = 64

#: How far it is: rows done.
Moved = Callable[[int], None]


def check_checkpoint(name: str, folder: Path) -> None:
    """Raise TrainingDataError, naming the teacher, where a folder is no checkpoint with a `tokenizer.json`."""
    for file in ("config.json", "tokenizer.json"):
        if not (folder / file).is_file():
            raise TrainingDataError(
                f"the teacher {name} has no {file} in {folder}", remedy="Name the folder of its checkpoint"
            )


def identity(folder: Path) -> dict[str, Any]:
    """What tells a checkpoint from another without reading its weights: a JSON object."""
    config = json.loads((folder / "config.json").read_text())
    return {"config": config, "bytes": sum(file.stat().st_size for file in sorted(folder.glob("*.safetensors")))}


def weights_digest(folder: Path) -> str:
    """16 hexadecimal digits that tell weights of one shape from others: some pieces of each file are read, not all."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = path.stat().st_size
        state.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for piece in range(_PIECES):
                file.seek(size * piece // _PIECES)
                state.update(file.read(4096))
    return state.hexdigest()


def _within(positions: int | None, max_length: int) -> int:
    """`max_length`, or fewer where there are positions for so many only; None: not limited."""
    return min(max_length, positions or max_length)


class SentenceNetwork:
    """A sentence-embedding checkpoint: mean or [CLS] pooling, unit length.

    Parameters
    ----------
    name : str
        For messages.
    checkpoint : Path
        In sentence-transformers' or plain transformers' layout; `1_Pooling/config.json` says how tokens are pooled
        (mean where it is absent).

    Raises
    ------
    TrainingDataError
        It does not load, or its tokenizer knows more tokens than its model.
    """

    def __init__(self, name: str, checkpoint: Path) -> None:
        self._model, self.device = _loaded(name, checkpoint, "AutoModel")
        if self.device == "cuda":  # finer than bfloat16, and a sentence encoder stays far within its range
            self._model = self._model.half()
        self.tokenizer = WordPieceTokenizer.from_file(checkpoint / "tokenizer.json")
        _check_vocabulary(name, self.tokenizer.size, self._model)
        self._positions = Checkpoint.locate(str(checkpoint)).positions
        pooling = checkpoint / "1_Pooling" / "config.json"
        record = json.loads(pooling.read_text()) if pooling.is_file() else {}
        self._cls = bool(record.get("pooling_mode_cls_token"))

    def encode_texts(self, texts: Sequence[str], max_length: int, moved: Moved | None = None) -> NDArray[np.float16]:
        """float16 ndarray of shape (n, d): unit embeddings of texts cut to `max_length` tokens, or to what it reads."""
        return self.encode(Ragged.of(self.tokenizer.inputs(list(texts), self.reads(max_length)), np.int32), moved)

    def reads(self, max_length: int) -> int:
        """Tokens of a text, special ones included, that are read where `max_length` are asked for."""
        return _within(self._positions, max_length)

    def encode(self, rows: Ragged, moved: Moved | None = None) -> NDArray[np.float16]:
        """Embeddings of unit length, float16 of shape (n, d); a row without tokens gives zeros."""
        import torch

        result: NDArray[np.float16] | None = None
        lengths, done = rows.lengths, 0
        with torch.inference_mode():
            for chosen, longest in _batches(lengths, self.device):
                ids = np.full((len(chosen), longest), self.tokenizer.pad_id, np.int64)
                for place, row in enumerate(chosen):
                    ids[place, : lengths[row]] = rows[row]
                mask = torch.from_numpy(np.arange(longest)[None] < lengths[chosen][:, None]).to(self.device)
                found = self._forward(torch.from_numpy(ids).to(self.device), mask)
                if result is None:
                    result = np.zeros((len(rows), found.shape[1]), np.float16)
                result[chosen] = found
                done += len(chosen)
                if moved is not None:
                    moved(done)
        return np.zeros((len(rows), 1), np.float16) if result is None else result

    def _forward(self, ids: Any, mask: Any) -> NDArray[np.float16]:
        import torch

        states = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
        pooled = states[:, 0] if self._cls else (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        if not bool(pooled.isfinite().all()):
            raise TrainingError("the embeddings are not finite", remedy="The checkpoint may be damaged")
        unit: NDArray[np.float16] = torch.nn.functional.normalize(pooled, dim=1).half().cpu().numpy()
        return unit


class PairNetwork:
    """A cross-encoder: a `*ForSequenceClassification` that reads a query and a text together.

    Parameters
    ----------
    name : str
        For messages.
    checkpoint : Path
        With one label, whose logit is the score, or two, whose difference is.
    max_length : int
        Tokens of both that are read, special ones included; the longer side is cut first.

    Raises
    ------
    TrainingDataError
        It does not load, has no classification head, other labels, or a tokenizer that knows more tokens than it.
    """

    def __init__(self, name: str, checkpoint: Path, max_length: int) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception for whatever is wrong with the file
            raise CorruptionError(checkpoint / "tokenizer.json", f"not a tokenizer: {error}") from error
        self._model, self.device = _loaded(name, checkpoint, "AutoModelForSequenceClassification")
        _check_vocabulary(name, self._tokenizer.get_vocab_size(with_added_tokens=True), self._model)
        self._labels = int(self._model.config.num_labels)
        if self._labels not in (1, 2):
            raise TrainingDataError(
                f"the teacher {name} has {self._labels} labels; a cross-encoder for ranking has 1 or 2",
                remedy="Name the checkpoint of one that was trained to rank",
            )
        self._tokenizer.no_padding()
        limit = _within(Checkpoint.locate(str(checkpoint)).positions, max_length)
        self._tokenizer.enable_truncation(limit, strategy="longest_first")
        self._tokenizer.encode_special_tokens = True
        self._pad = int(getattr(self._model.config, "pad_token_id", None) or 0)
        self._typed = int(getattr(self._model.config, "type_vocab_size", 0) or 0) > 1

    def scores(self, pairs: Sequence[tuple[str, str]], moved: Moved | None = None) -> NDArray[np.float32]:
        """float32 ndarray of shape (n,): the score of each (query, text)."""
        import torch

        encodings = self._tokenizer.encode_batch([_whole(pair) for pair in pairs])
        lengths = np.array([len(encoding.ids) for encoding in encodings], np.int64)
        result = np.zeros(len(encodings), np.float32)
        done = 0
        with torch.inference_mode():
            for chosen, longest in _batches(lengths, self.device):
                ids = np.full((len(chosen), longest), self._pad, np.int64)
                types = np.zeros_like(ids)
                for place, row in enumerate(chosen):
                    ids[place, : lengths[row]] = encodings[row].ids
                    types[place, : lengths[row]] = encodings[row].type_ids
                mask = torch.from_numpy((np.arange(longest)[None] < lengths[chosen][:, None]).astype(np.int64))
                inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": mask}
                if self._typed:
                    inputs["token_type_ids"] = torch.from_numpy(types)
                with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
                    logits = self._model(**{key: value.to(self.device) for key, value in inputs.items()}).logits
                logits = logits.float().cpu().numpy()
                result[chosen] = logits[:, 0] if self._labels == 1 else logits[:, 1] - logits[:, 0]
                done += len(chosen)
                if moved is not None:
                    moved(done)
        return result


def _loaded(name: str, checkpoint: Path, kind: str) -> tuple[Any, str]:
    """The model on its device, for inference."""
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtraError(f"the teacher {name}", "train") from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with quiet_transformers():
            model, report = getattr(transformers, kind).from_pretrained(
                checkpoint, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise TrainingDataError(
            f"the teacher {name} does not load from {checkpoint}: {str(error).splitlines()[0]}",
            remedy="Check the checkpoint",
        ) from error
    absent = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if absent:
        raise TrainingDataError(
            f"the teacher {name} has no {absent[0]} in {checkpoint}",
            remedy="Name a checkpoint of that kind: this one would score at random",
        )
    return model.to(device, torch.float32).eval(), device


def _check_vocabulary(name: str, tokens: int, model: Any) -> None:
    rows = len(model.get_input_embeddings().weight)
    if tokens > rows:
        raise TrainingDataError(
            f"the tokenizer of the teacher {name} has {tokens} tokens, its model {rows}",
            remedy="Use the tokenizer that was published with the model",
        )


def _batches(lengths: NDArray[np.int64], device: str) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Rows of similar length, the longest first, and the length of the longest; rows without a token are left out."""
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        chosen = order[start : start + max(1, min(_ROWS, _TOKENS[device] // longest))]
        yield chosen, longest
        start += len(chosen)


def _whole(pair: tuple[str, str]) -> tuple[str, str]:
    """Without halves of UTF-16 pairs, which are no characters."""
    query, text = (side.encode("utf-8", "replace").decode("utf-8") for side in pair)
    return query, text
