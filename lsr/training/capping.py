"""A checkpoint whose terms are in no more than a share of a corpus' texts: biases of single terms, lowered at the end.

A term that half of all texts have tells none of them apart and costs half of all postings. Training holds such terms
down on average; what is left of them is a property of the bias of each, and needs no gradient.
Knows encoders' vectors and checkpoints' folders; the arithmetic is `lsr.training.ubiquity`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.families import Side
from lsr.encoders.masked_lm import checked_prune
from lsr.encoders.neural import NeuralEncoder
from lsr.encoders.new_folder import check_new, new_folder
from lsr.errors import EncoderError, InvalidSettingError
from lsr.training.checkpoints import trained_model
from lsr.training.tensors import load_tensors, vocabulary_biases, write_like
from lsr.training.ubiquity import least_lowering, lowered, pruned, shares
from lsr.vectors import SparseVectors


@dataclass(frozen=True, slots=True)
class CappedTerm:
    """A term, by how much its bias is lower, and its greatest share of a group's texts before and after."""

    term: str
    lowered: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class CappedGroup:
    """A group: its texts, the mean number of terms of one before and after, and how many terms were above the share."""

    name: str
    texts: int
    terms_before: float
    terms_after: float
    above: int


@dataclass(frozen=True, slots=True)
class Capped:
    """What was done: terms in the order of their share before, groups in the order given."""

    terms: list[CappedTerm]
    groups: list[CappedGroup]


def cap_terms(
    path: Path,
    target: Path,
    groups: Mapping[str, Sequence[str]],
    *,
    share: float,
    prune: float = 0.0,
    max_length: int | None = None,
    precision: str = "float32",
    device: str = "auto",
) -> Capped:
    """Write a checkpoint in which no term is in more than a share of the texts of any group.

    Only biases of terms that are above it change, and only downwards; every other number is as it was, bit for bit.

    Parameters
    ----------
    path : Path
        A run of `lsr train` or a checkpoint's folder: a masked language model whose weights are log1p(relu(logit)) at
        the maximum over positions.
    target : Path
        A folder that is empty or not there; it has its name only once it is whole.
    groups : mapping of str to sequence of str
        Texts by the name of their group. A term is held in each of them by itself: in one that is about a single thing,
        that thing's name is lowered for all texts.
    share : float in (0, 1]
    prune : float in [0, 1]
        What the encoder will be exported with: a term counts where a document keeps it.
    max_length, precision, device
        As `NeuralEncoder` takes them.

    Returns
    -------
    Capped

    Raises
    ------
    InvalidSettingError
        A share outside (0, 1], no texts, fewer than 1 / share in a group, other settings outside their values, no bias
        to lower, or a target with something in it.
    TrainingError, EncoderError
        No checkpoint there, or none of this kind.
    CorruptionError
        Its weights cannot be read.
    """
    if not 0 < share <= 1:
        raise InvalidSettingError(f"share is {share}, it must be above 0 and at most 1")
    checked_prune(prune)
    check_new(target)
    if not groups:
        raise InvalidSettingError("there are no texts to count terms in", remedy="Name a file of them")
    for name, texts in groups.items():
        if len(texts) * share < 1:
            raise InvalidSettingError(
                f"{name} has {len(texts)} texts, too few for a share of {share}",
                remedy=f"Name {int(np.ceil(1 / share))} or more; hundreds make a share that holds elsewhere",
            )
    folder = trained_model(path)
    tensors = load_tensors(folder)
    biases = vocabulary_biases(tensors, folder)
    encoder = _encoder(folder, max_length=max_length, precision=precision, device=device)
    found = {name: encoder.encode_documents(texts) for name, texts in groups.items()}
    amounts = least_lowering(list(found.values()), share, prune=prune, importance=encoder.idf)
    places = np.flatnonzero(amounts)
    for name in biases:
        bias = tensors[name].copy()
        bias[places] = (bias[places] - amounts[places]).astype(bias.dtype)
        tensors[name] = bias
    with new_folder(target) as made:
        write_like(folder, made, tensors)
    return _report(encoder, found, amounts, share, prune)


def _encoder(folder: Path, *, max_length: int | None, precision: str, device: str) -> NeuralEncoder:
    """Without pruning; only where lowering a bias lowers the logit behind a weight by as much."""
    encoder = NeuralEncoder(str(folder), max_length=max_length, precision=precision, device=device)
    side = encoder.sides[0]
    options = side.options if isinstance(side, Side) else {}
    ours = {"pooling": "max", "activation": "log1p_relu"}
    if (
        not isinstance(side, Side)
        or side.family != "masked-lm"
        or any(options.get(name, value) != value for name, value in ours.items())
    ):
        raise EncoderError(
            f"{folder} does not give log1p(relu(logit)) at the maximum of a masked language model's positions",
            remedy="Name a checkpoint that `lsr train` wrote, or one like it",
        )
    return encoder


def _report(
    encoder: NeuralEncoder,
    found: Mapping[str, SparseVectors],
    amounts: NDArray[np.float64],
    share: float,
    prune: float,
) -> Capped:
    before = {name: pruned(vectors, prune, encoder.idf) for name, vectors in found.items()}
    after = {name: pruned(lowered(vectors, amounts), prune, encoder.idf) for name, vectors in found.items()}
    most = np.max([shares(vectors) for vectors in before.values()], axis=0)
    left = np.max([shares(vectors) for vectors in after.values()], axis=0)
    places = sorted(np.flatnonzero(amounts).tolist(), key=lambda place: -most[place])
    terms = [
        CappedTerm(word, float(amounts[place]), float(most[place]), float(left[place]))
        for place, word in zip(places, encoder.words(places), strict=True)
    ]
    return Capped(
        terms,
        [
            CappedGroup(
                name,
                len(vectors),
                vectors.nnz / len(vectors),
                after[name].nnz / len(vectors),
                int((shares(vectors) > share).sum()),
            )
            for name, vectors in before.items()
        ],
    )
