"""The idf tables of inference-free queries: counted over the training documents, or read.

Knows `[idf]` of a recipe and `idf.json`. Light to import: no torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.idf import inverse_document_frequency, read_idf_table
from lsr.errors import RecipeError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.training.data.prepared import PreparedData
from lsr.training.recipe import Idf
from lsr.training.tables import resolve


def idf_table(settings: Idf, data: PreparedData, tokenizer_file: Path, folder: Path) -> NDArray[np.float32]:
    """What `settings` say.

    Parameters
    ----------
    settings : Idf
    data : PreparedData
    tokenizer_file : Path
        The student's `tokenizer.json`.
    folder : Path
        What a relative path of a table is relative to.

    Returns
    -------
    float32 ndarray of shape (V,)
        At least 0, and 0 for special tokens.

    Raises
    ------
    RecipeError
        The table's file is not there.
    CorruptionError, EncoderError
        It is no table, or one of another vocabulary.
    """
    size = data.manifest.vocabulary
    if settings.table == "none":
        table = np.ones(size, np.float32)
    elif settings.table == "data":
        table = inverse_document_frequency(data.document_frequencies(), len(data.documents))
    else:
        table = saved_table(resolve(settings.table, folder), tokenizer_file, size)
    table = table ** np.float32(settings.power)
    table[list(data.manifest.special_ids)] = 0
    return table.astype(np.float32)


def saved_table(file: Path, tokenizer_file: Path, size: int) -> NDArray[np.float32]:
    """(size,) of an `idf.json`; raises as `idf_table`."""
    if not file.is_file():
        raise RecipeError(f"idf.table {file} does not exist", remedy="Name an idf.json, data or none")
    return read_idf_table(file.read_bytes(), file, WordPieceTokenizer.from_file(tokenizer_file), size)
