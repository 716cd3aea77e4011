"""What a family of sparse encoders is: a network that turns token ids into term weights, and how it is made.

Knows tensors, devices and batches of ids. Knows no checkpoint format and no index. Importing this loads no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.checkpoint import Checkpoint
from lsr.errors import InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.vectors import SparseVectors

if TYPE_CHECKING:
    import torch

Option = str | int | float | bool | None

POOLINGS = ("max", "sum")
#: `precision` of a network, by torch's names of the dtypes.
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Side:
    """How one side, documents or queries, is encoded.

    Parameters
    ----------
    family : str
        One of `lsr.encoders.families.FAMILIES`.
    checkpoint : Checkpoint
        The folder with configuration, weights and tokenizer.
    options : mapping of str to str, int, float, bool or None
        What the family must know, as the checkpoint says it; see the family's `options`.
    prompt : str
        What is put before each text.
    """

    family: str
    checkpoint: Checkpoint
    options: Mapping[str, Option] = field(default_factory=dict)
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Placing:
    """Where and how a network runs: its device, the dtype of its products, and whose code it may run."""

    device: str = "auto"
    precision: str = "float32"
    remote_code: str | None = None

    def torch_device(self) -> torch.device:
        """The device; InvalidSettingError where there is none of that name."""
        import torch

        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise InvalidSettingError(
                f"device is {self.device!r}, it must be auto, cpu, cuda or cuda:<number>"
            ) from None
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InvalidSettingError(f"device is {self.device!r}, but torch finds no CUDA device here")
        return device

    def dtype(self) -> torch.dtype:
        """float32 or bfloat16."""
        import torch

        found: torch.dtype = getattr(torch, self.precision)
        return found


class Network(ABC):
    """A loaded model on its device.

    Attributes
    ----------
    dim : int
        Terms of the vectors that it gives.
    """

    dim: int

    def __init__(self, placing: Placing) -> None:
        self.device = placing.torch_device()
        self.dtype = placing.dtype()

    @abstractmethod
    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64], dropped: Sequence[int]) -> SparseVectors:
        """One row a text.

        Parameters
        ----------
        ids, mask : int64 ndarrays of shape (rows, longest)
            Token ids, and 1 at real positions, which come first.
        dropped : sequence of int
            Terms that weigh nothing.
        """

    def inputs(self, tokenizer: WordPieceTokenizer, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """What the network reads of each text, at most `max_length` tokens."""
        return tokenizer.inputs(texts, max_length)

    def rows(self, weights: torch.Tensor, dropped: Sequence[int]) -> SparseVectors:
        """A dense (rows, dim) tensor as vectors, `dropped` terms left out."""
        if len(dropped):
            weights[:, list(dropped)] = 0
        if weights.device.type == "cpu":
            return SparseVectors.from_torch(weights)
        import torch

        # Only what is not 0 crosses the bus, and rows come in order as they are.
        places = weights.nonzero()
        counts = torch.bincount(places[:, 0], minlength=len(weights)).cpu().numpy()
        indptr = np.zeros(len(weights) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        terms = places[:, 1].to(torch.int32).cpu().numpy().view(np.uint32)
        values = weights[places[:, 0], places[:, 1]].float().cpu().numpy()
        return SparseVectors(indptr, terms, values, self.dim)

    def tensors(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask on the device."""
        import torch

        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)


@dataclass(frozen=True, slots=True)
class Family:
    """A family by its name.

    Parameters
    ----------
    name : str
        What it is called.
    options : mapping of str to tuple
        The legal values of each option of a `Side`, the default first; () where any value of the option will do.
    load : callable
        (Side, Placing) to `Network`.
    """

    name: str
    options: Mapping[str, tuple[Option, ...]]
    load: Callable[[Side, Placing], Network]

    def option(self, side: Side, name: str) -> Any:
        """The value of an option of a side, or the default."""
        legal = self.options[name]
        value = side.options.get(name, legal[0] if legal else None)
        if legal and value not in legal:
            raise InvalidSettingError(
                f"{side.checkpoint.name}: {name} is {value!r}, the family {self.name} knows "
                f"{', '.join(map(str, legal))}"
            )
        return value


def gather_terms(
    ids: NDArray[np.int64], weights: NDArray[np.float32], dim: int, dropped: Sequence[int], pooling: str
) -> SparseVectors:
    """Weights of positions to weights of terms, by maximum or sum over the positions of each term.

    Parameters
    ----------
    ids, weights : ndarrays of shape (rows, length)
        A weight of 0 or less counts as none.
    """
    rows, places = np.nonzero(weights > 0)
    terms = ids[rows, places]
    kept = ~np.isin(terms, np.array(dropped, np.int64)) & (terms < dim)
    rows, terms, values = rows[kept], terms[kept], weights[rows, places][kept]
    order = np.lexsort((terms, rows))
    keys = (rows * dim + terms)[order]
    indptr = np.zeros(len(ids) + 1, np.int64)
    if not len(keys):
        return SparseVectors.empty(len(ids), dim)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    reduce = np.maximum if pooling == "max" else np.add
    pooled = reduce.reduceat(values[order], starts).astype(np.float32)
    np.cumsum(np.bincount(rows[order][starts], minlength=len(ids)), out=indptr[1:])
    return SparseVectors(indptr, terms[order][starts].astype(np.uint32), pooled, dim)
