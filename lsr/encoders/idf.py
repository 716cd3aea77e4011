"""Inverse document frequency: how much a query's term counts, from how many documents hold it; and tables of it.

Knows the formula and how a model's own table (`idf.json`) is read. Knows nothing of indexes or of where counts
come from.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsr.errors import CorruptionError, EncoderError, InvalidSettingError, MissingExtraError
from lsr.text.wordpiece import WordPieceTokenizer

#: What an inference-free query gives a token that its table does not mention.
UNSEEN = 1.0
#: How many documents of the kind of the encoder's table `smoothed` adds to a collection.
PSEUDO_DOCUMENTS = 100


def inverse_document_frequency(df: ArrayLike, n: int) -> NDArray[np.float32]:
    """ln(1 + (n − df + ½) / (df + ½)), float32 of the shape of `df`; above 0 for every df up to n.

    Parameters
    ----------
    df : integers of any shape
        Documents that hold the term, 0 to n.
    n : int
        Documents in all.

    Raises
    ------
    InvalidSettingError
        Where a df is negative or exceeds n.

    This is Lucene's BM25 idf, and the published tables of OpenSearch's inference-free models follow it with
    n = 8,841,823, the passages of MS MARCO (a term of one passage: 15.58954).
    """
    frequencies = np.asarray(df, np.float64)
    if frequencies.size and not (frequencies.min() >= 0 and frequencies.max() <= n):
        raise InvalidSettingError(
            f"document frequencies go from {frequencies.min():g} to {frequencies.max():g} in a collection of {n}"
        )
    # 1 + (n - df + .5) / (df + .5) is (n + 1) / (df + .5)
    return np.asarray(np.log((n + 1.0) / (frequencies + 0.5)), np.float32)


def smoothed_idf(
    df: NDArray[np.int64], n: int, own: NDArray[np.float32], *, documents: int = PSEUDO_DOCUMENTS
) -> NDArray[np.float32]:
    """The idf of a collection to which `documents` were added that are like those another table was counted on.

    Of that table's documents the share exp(−own) holds a term (its formula, for a large n), so df grows by
    documents·exp(−own) and n by documents. A large collection keeps its own idf; a small one, whose counts say little,
    leans on the table. A term of weight 0 in the table, a special one, keeps 0.

    Parameters
    ----------
    df : int64 ndarray
        Documents of the collection that hold each term.
    n : int
        Documents of the collection.
    own : float32 ndarray as long as `df`
        The other table.
    """
    weights = np.asarray(own, np.float64)
    idf = np.log((n + documents + 1.0) / (np.asarray(df, np.float64) + documents * np.exp(-weights) + 0.5))
    return np.where(weights > 0, np.maximum(idf, 0.0), 0.0).astype(np.float32)


def read_idf_table(data: bytes, path: Path, tokenizer: WordPieceTokenizer, dim: int) -> NDArray[np.float32]:
    """A model's `idf.json`, `{token: weight}`, as an array by token id.

    Parameters
    ----------
    data : bytes
        The file's content.
    path : Path
        For messages.
    tokenizer : WordPieceTokenizer
        Gives the id of each token.
    dim : int
        Size of the model's vocabulary.

    Returns
    -------
    float32 ndarray of shape (dim,)
        1 for tokens that the file lacks, 0 for special tokens whatever the file says, 0 for negative weights.

    Raises
    ------
    CorruptionError
        Not a JSON object of finite numbers.
    EncoderError
        A token of another vocabulary.
    """
    try:
        weights = json.loads(data)
    except ValueError as error:
        raise CorruptionError(path, f"not JSON: {error}") from None
    if not isinstance(weights, dict):
        raise CorruptionError(path, f"a JSON object of token: weight is expected, not {type(weights).__name__}")
    table = np.full(dim, UNSEEN, np.float32)
    for token, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
            raise CorruptionError(path, f"the weight of {token!r} is {weight!r}, not a finite number")
        number = tokenizer.id(token)
        if number is None or number >= dim:
            raise EncoderError(
                f"{path} weights the token {token!r}, which the tokenizer does not have",
                remedy="Use the idf.json that was published with this tokenizer",
            )
        table[number] = max(weight, 0.0)
    table[[number for number in tokenizer.special_ids if number < dim]] = 0
    return table


def read_weight_table(path: Path, tokenizer: WordPieceTokenizer, dim: int) -> NDArray[np.float32]:
    """A table of query weights by token id, from `idf.json` or from a file with one tensor `weight` of shape (dim,).

    Special tokens weigh 0 whatever the file says, and so do negative weights. sentence-transformers gives a token that
    its `idf.json` does not mention 0; the published models mean 1, and so does this.

    Raises
    ------
    CorruptionError
        The file cannot be read, or its tensor is of another shape.
    MissingExtraError
        safetensors, or torch for a pickle, is not installed.
    """
    if path.suffix == ".json":
        return read_idf_table(path.read_bytes(), path, tokenizer, dim)
    if path.suffix == ".safetensors":
        try:
            from safetensors.numpy import load_file
        except ImportError:
            raise MissingExtraError(f"reading {path}", "torch") from None
        try:
            found = load_file(path).get("weight")
        except Exception as error:
            raise CorruptionError(path, str(error)) from None
    else:
        from lsr.encoders.families.models import read_tensors

        tensor = read_tensors(path).get("weight")
        found = None if tensor is None else tensor.numpy()
    if found is None or found.ndim != 1 or len(found) > dim or not np.isfinite(found).all():
        shape = "none" if found is None else str(found.shape)
        raise CorruptionError(path, f"finite weights of {dim} tokens are expected under the name weight, found {shape}")
    table = np.zeros(dim, np.float32)
    table[: len(found)] = np.maximum(found, 0)
    table[[number for number in tokenizer.special_ids if number < dim]] = 0
    return table
