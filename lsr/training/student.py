"""The model that is trained: a masked-LM network as a document encoder, and the idf table of its queries.

Knows transformers' checkpoints and the fused head. Knows nothing of losses, batches' origin or optimisers. What it
saves is a plain `*ForMaskedLM` folder with its tokenizer and `idf.json`: every checkpoint loads as an encoder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.families.models import read_tensors
from lsr.encoders.fused_head import fused_head
from lsr.encoders.head import SplitModel
from lsr.encoders.manifest import IDF, TOKENIZER
from lsr.encoders.packed import packable, packed_states
from lsr.encoders.quiet import quiet_transformers
from lsr.errors import RecipeError, TrainingError
from lsr.text.wordpiece import WordPieceTokenizer

#: Files that make a tokenizer; copied as they are.
_TOKENIZER_FILES = (TOKENIZER, "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


class Student(torch.nn.Module):
    """Texts to term weights, differentiably.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A `*ForMaskedLM`.
    tokenizer_folder : Path
        Where its tokenizer's files are.
    idf : float32 ndarray of shape (V,), optional
        Query weights; without it queries are encoded by the network.
    trainable_idf : bool
    special_ids : ints
        Terms that always weigh 0.
    """

    idf_start: torch.Tensor
    kept: torch.Tensor
    network: Any
    decoder: Any
    bias: Any

    def __init__(
        self,
        model: Any,
        tokenizer_folder: Path,
        *,
        idf: NDArray[np.float32] | None,
        trainable_idf: bool,
        special_ids: tuple[int, ...],
    ) -> None:
        super().__init__()
        #: As `fused_head` takes it.
        self.head_backend = "auto"
        #: As `packed_states` takes it.
        self.compiled = False
        self.config = model.config
        # As saved: under their names in a *ForMaskedLM, the decoder's tied weight once.
        self._kind = type(model)
        state = model.state_dict(keep_vars=True)
        split = SplitModel(model)
        self.network = model
        self._packs = packable(model)
        self._decoder_names = _names(state, split.weight), _names(state, split.bias)
        embedding = model.get_input_embeddings().weight
        self._tied = split.weight is embedding
        if not self._tied:
            self.decoder = split.weight
        self.bias = split.bias if isinstance(split.bias, torch.nn.Parameter) else torch.nn.Parameter(split.bias)
        self._split = [split]  # in a list, so that it is no submodule
        self._tokenizer_folder = tokenizer_folder
        if idf is not None:
            # Trained as the logarithm's offset: it stays positive, and one learning rate fits rare and common terms.
            self.register_buffer("idf_start", torch.from_numpy(np.array(idf, np.float32)), persistent=False)
            if trainable_idf:
                self.idf_shift: Any = torch.nn.Parameter(torch.zeros(len(idf)))
            else:
                self.idf_shift = None
        self.inference_free = idf is not None
        kept = torch.ones(len(embedding))
        kept[list(special_ids)] = 0
        self.register_buffer("kept", kept, persistent=False)

    # -- what it computes -----------------------------------------------------------------------------------------

    @property
    def decoder_weight(self) -> torch.Tensor:
        """(V, d)."""
        weight: torch.Tensor = self.network.get_input_embeddings().weight if self._tied else self.decoder
        return weight

    def idf(self) -> torch.Tensor:
        """(V,): weight of each term in a query; ones where queries are encoded."""
        if not self.inference_free:
            return self.kept
        start: torch.Tensor = self.idf_start
        return start if self.idf_shift is None else start * self.idf_shift.exp()

    def weights(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, L) ids and mask to (n, V) float32 term weights; special tokens weigh nothing."""
        if self._packs:
            states = packed_states(self.network, ids, mask, compiled=self.compiled and self.training)
        else:
            states = self._split[0].states(ids, mask.long())
        found = fused_head(states, mask, self.decoder_weight, self.bias, backend=self.head_backend)
        return found * self.kept

    # -- files ----------------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write `config.json`, `model.safetensors`, the tokenizer and `idf.json`: a `*ForMaskedLM` checkpoint."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        state = dict(self.network.state_dict())
        weights, biases = self._decoder_names
        if not self._tied:
            state[weights[0]] = self.decoder
        state[biases[0] if biases else f"{weights[0].removesuffix('weight')}bias"] = self.bias
        whole = {name: tensor.detach().cpu().float().contiguous() for name, tensor in state.items()}
        save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
        self.config.architectures = [self._kind.__name__]
        self.config.tie_word_embeddings = self._tied
        self.config.save_pretrained(folder)
        for name in _TOKENIZER_FILES:
            if (self._tokenizer_folder / name).is_file() and self._tokenizer_folder.resolve() != folder.resolve():
                shutil.copyfile(self._tokenizer_folder / name, folder / name)
        if self.inference_free:
            self._save_idf(folder)

    def _save_idf(self, folder: Path) -> None:
        tokenizer = WordPieceTokenizer.from_file(self._tokenizer_folder / TOKENIZER)
        table = self.idf().detach().cpu().numpy()
        special = set(tokenizer.special_ids)
        tokens = tokenizer.tokens(range(min(tokenizer.size, len(table))))
        record = {token: round(float(table[n]), 6) for n, token in enumerate(tokens) if n not in special}
        (folder / IDF).write_text(json.dumps(record, ensure_ascii=False))

    def restore(self, folder: Path) -> None:
        """Take the weights of a checkpoint that `save` wrote for a student of the same shape.

        Raises
        ------
        CorruptionError
            They cannot be read.
        """
        state = read_tensors(folder / "model.safetensors")
        weights, biases = self._decoder_names
        with torch.no_grad():
            self.bias.copy_(state[biases[0] if biases else f"{weights[0].removesuffix('weight')}bias"])
            if not self._tied:
                self.decoder.copy_(state[weights[0]])
            self.network.load_state_dict({name: state[name] for name in self.network.state_dict()}, strict=True)


def load_student(
    checkpoint: Path,
    *,
    head: str,
    idf: NDArray[np.float32] | None,
    trainable_idf: bool,
    special_ids: tuple[int, ...],
    seed: int,
) -> Student:
    """The student of a checkpoint.

    Parameters
    ----------
    checkpoint : Path
    head : "keep" or "calibrated"
        With "calibrated" the masked-LM head is new; `lsr.training.head_init.calibrate` sets it.
    idf, trainable_idf, special_ids
        As `Student` takes them.
    seed : int

    Raises
    ------
    RecipeError
        No checkpoint there, or it has no masked-LM head and `head` is "keep".
    """
    from transformers import AutoModelForMaskedLM

    for name in ("config.json", TOKENIZER):
        if not (checkpoint / name).is_file():
            raise RecipeError(f"student.checkpoint {checkpoint} has no {name}", remedy="Name a checkpoint's folder")
    torch.manual_seed(seed)
    try:
        with quiet_transformers():  # a missing head is what we ask for
            model, report = AutoModelForMaskedLM.from_pretrained(
                checkpoint, trust_remote_code=False, output_loading_info=True, dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise RecipeError(
            f"student.checkpoint {checkpoint} does not load as a masked language model: {str(error).splitlines()[0]}"
        ) from error
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing and head == "keep":
        raise RecipeError(
            f"{checkpoint} has no masked-LM head of its own ({missing[0]} is missing)",
            remedy='Set student.head = "calibrated"',
        )
    tokenizer = WordPieceTokenizer.from_file(checkpoint / TOKENIZER)
    rows = len(model.get_input_embeddings().weight)
    if tokenizer.size > rows:
        raise TrainingError(
            f"the tokenizer of {checkpoint} has {tokenizer.size} tokens, its model {rows}",
            remedy="Use the tokenizer that was published with the model",
        )
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # a text's weights are to be the same for every loss term and in both passes of a cache
    return Student(model, checkpoint, idf=idf, trainable_idf=trainable_idf, special_ids=special_ids)


def _names(state: dict[str, Any], tensor: torch.Tensor) -> list[str]:
    return [name for name, value in state.items() if value is tensor and "embedding" not in name]
