"""What is indexed: a document with an id, a text, perhaps a title, and whatever else its source says of it.

Knows nothing of encoders, vectors or storage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from json.encoder import encode_basestring as _quoted
from typing import Any

from lsr.errors import LsrError

#: `json.dumps` with options makes an encoder for each call, which takes longer than most documents.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

#: A value that JSON can hold.
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Parameters
    ----------
    id : str
        Not empty; unique in an index (a later document of the same id replaces the earlier).
    text : str
        What is encoded, after the title; may be empty when there is a title.
    title : str
        May be empty.
    metadata : dict
        Every other field of the source, JSON values; kept, returned, never encoded.
    """

    id: str
    text: str
    title: str = ""
    metadata: dict[str, Json] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """What an encoder reads: title and text joined by a blank (the "flat" convention of BEIR)."""
        return f"{self.title} {self.text}" if self.title else self.text

    def to_json(self) -> str:
        """One line of JSON, `{"_id", "title", "text", …metadata}`; `from_json` gives an equal document back."""
        # Put together by hand, as `json.dumps` would write it: most documents have texts and little else.
        metadata = _JSON.encode(self.metadata) if self.metadata else "{}"
        texts = f'"_id":{_quoted(self.id)},"title":{_quoted(self.title)},"text":{_quoted(self.text)}'
        return f'{{{texts},"metadata":{metadata}}}'

    @classmethod
    def from_json(cls, line: str | bytes) -> Document:
        """The document that `to_json` wrote."""
        record: Any = json.loads(line)
        try:
            return cls(id=record["_id"], text=record["text"], title=record["title"], metadata=record["metadata"])
        except (KeyError, TypeError) as error:
            raise LsrError(f"not a stored document: {error!r}") from None
