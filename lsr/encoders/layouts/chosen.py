"""A plain folder read as the family that the user names: SPARTA publishes models that look like any other."""

from __future__ import annotations

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families import FAMILIES, Side
from lsr.encoders.layouts.base import Layout, LookUp
from lsr.errors import InvalidSettingError

#: Those for which a plain folder says enough.
_PLAIN = ("masked-lm", "sparta", "causal-lm")


def chosen_family(checkpoint: Checkpoint, family: str) -> Layout:
    """The layout; InvalidSettingError for a family that needs more than a model and a tokenizer."""
    if family not in _PLAIN:
        known = "" if family in FAMILIES else f"; there is none of that name among {', '.join(FAMILIES)}"
        raise InvalidSettingError(
            f"family is {family!r}, it can be {', '.join(_PLAIN)} for a plain folder{known}",
            remedy="Leave it out where the folder says what it is",
        )
    checkpoint.check()
    query = LookUp(checkpoint, checkpoint.idf_file) if family == "sparta" else None
    return Layout(f"a model, read as {family}", checkpoint, Side(family, checkpoint), query)
