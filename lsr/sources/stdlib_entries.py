"""What one documented thing of a module is: the record that parsing and inspection both give.

Knows nothing of where modules lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["module", "class", "function", "method", "property"]

#: Longest signature in a title, in characters.
_LONGEST_SIGNATURE = 160


@dataclass(frozen=True, slots=True)
class Entry:
    """A class, function, method or property with a docstring.

    `name` is dotted within its module ("Path.read_text"); `signature` begins with "(" or is empty.
    """

    name: str
    kind: Kind
    signature: str
    doc: str

    def renamed(self, old: str, new: str) -> Entry:
        """The same under a top-level name's other name."""
        return self if old == new else Entry(new + self.name.removeprefix(old), self.kind, self.signature, self.doc)


def is_public(name: str) -> bool:
    """Whether every part of a dotted name is for users."""
    return not any(part.startswith("_") for part in name.split("."))


def shortened(signature: str) -> str:
    """A signature fit for a title."""
    signature = " ".join(signature.replace("<unrepresentable>", "...").split())
    return signature if len(signature) <= _LONGEST_SIGNATURE else signature[:_LONGEST_SIGNATURE].rstrip() + "…)"
