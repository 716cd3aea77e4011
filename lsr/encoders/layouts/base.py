"""What a checkpoint's files say: which family encodes documents, which queries, and how. Loads no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families.base import Option, Side


@dataclass(frozen=True)
class LookUp:
    """A side without a network: the tokens of a text, weighted by a table.

    Parameters
    ----------
    checkpoint : Checkpoint
        Has the tokenizer.
    table : Path, optional
        `idf.json`, or a .safetensors or pickle file with one tensor `weight` by token id; without it tokens weigh
        `scale`.
    scale : float
        What all weights are multiplied with.
    repeats : bool
        Whether a token counts each time that it stands in the text, or once.
    prompt : str
        What is put before each text.
    """

    checkpoint: Checkpoint
    table: Path | None = None
    scale: float = 1.0
    repeats: bool = False
    prompt: str = ""


@dataclass(frozen=True)
class Layout:
    """A checkpoint as it will be used.

    Parameters
    ----------
    format : str
        What wrote such folders.
    checkpoint : Checkpoint
        The folder that was named.
    document : Side or LookUp
        How documents are encoded.
    query : Side, LookUp or None
        How queries are; None: as documents.
    max_length : int, optional
        Tokens that the reference implementation reads, where the files say so.
    facts : mapping of str to str
        What else a user may want to know.
    """

    format: str
    checkpoint: Checkpoint
    document: Side | LookUp
    query: Side | LookUp | None = None
    max_length: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


__all__ = ["Layout", "LookUp", "Option", "Side"]
