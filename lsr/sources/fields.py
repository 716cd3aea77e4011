"""Which field of a record is the id, the title and the text; everything else is metadata.

Knows what makes a record a good document. Knows nothing of file formats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lsr.documents import Document
from lsr.errors import InvalidSettingError, MalformedDocumentError, SourceError
from lsr.sources.values import flaw_of_text, flaw_of_value, kind_of

DEFAULT_ID = "_id|id"
DEFAULT_TITLE = "title"
DEFAULT_TEXT = "text"


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of fields (of columns, in a table). `a|b` means the first of these that a record has a value for.

    Parameters
    ----------
    id : str
        A string or an integer. Where the default is missing, null or empty, the document is named by its source and
        line, so that reading again gives equal ids; a field that was asked for by name must be there.
    title : str
        A string; may be missing.
    text : str
        A string; must be there, and may be empty only where there is a title.
    """

    id: str = DEFAULT_ID
    title: str = DEFAULT_TITLE
    text: str = DEFAULT_TEXT

    def __post_init__(self) -> None:
        for what, names in (("id", self.id), ("title", self.title), ("text", self.text)):
            if not all(names.split("|")):
                raise InvalidSettingError(f"the name of the {what} field is {names!r}, it must not be empty")

    def check_columns(self, columns: Collection[str], source: str) -> None:
        """Before a table is read: raise where its columns cannot give documents.

        Raises
        ------
        SourceError
            No column for the text, or none for an id or title that was asked for by name.
        """
        for what, names, default in (
            ("text", self.text, None),
            ("id", self.id, DEFAULT_ID),
            ("title", self.title, DEFAULT_TITLE),
        ):
            if names != default and not any(name in columns for name in names.split("|")):
                raise SourceError(f"{source}: {_missing('column', names, columns)}", remedy=_remedy("column", what))

    def document(self, record: Mapping[str, Any], source: str, number: int, *, line: int | None) -> Document:
        """The document that a record of JSON values is.

        Parameters
        ----------
        record : mapping of str to JSON values
        source : str
            Name of the source, for messages and for the ids of records without one.
        number : int
            Line or row, for such ids.
        line : int or None
            Line for messages; None where the source has rows.

        Raises
        ------
        MalformedDocumentError
            What is wrong, and what to do about it.
        """
        try:
            id_field, identity = self._id_of(record)
            text_field, text = _string(record, self.text)
            title_field, title = _string(record, self.title)
            if text_field is None:
                raise _Flaw(_missing("field", self.text, record), _remedy("field", "text"))
            if not text.strip() and not title.strip():
                # Published collections have such documents too (Cranfield's 471).
                reason = "it has neither a title nor a text, so there is nothing to index"
                raise _Flaw(reason, "Pass over such documents: --on-error skip")
            metadata: dict[str, Any] = {}
            for name, value in record.items():
                if name not in (id_field, text_field, title_field):
                    if flaw := flaw_of_text(name) or flaw_of_value(value):
                        raise _Flaw(f"the field {name!r} {flaw}")
                    metadata[name] = value
        except _Flaw as flaw:
            reason, remedy = flaw.args
            place = "" if line is not None else f"row {number}: "
            raise MalformedDocumentError(source, line, place + reason, remedy=remedy) from None
        if metadata.keys() == {"metadata"} and isinstance(metadata["metadata"], dict):
            # As `Document.to_json` and BEIR write it: the other fields are together in one already.
            metadata = metadata["metadata"]
        return Document(id=identity or f"{source}:{number}", text=text, title=title, metadata=metadata)

    def _id_of(self, record: Mapping[str, Any]) -> tuple[str | None, str]:
        """The id's field and the id; an empty id where the record has none and needs none."""
        name = _first(self.id, record)
        value = None if name is None else record[name]
        if value is None or value == "":
            if self.id == DEFAULT_ID:
                return name, ""
            reason = _missing("field", self.id, record) if name is None else f"the id {name!r} is empty"
            raise _Flaw(reason, _remedy("field", "id"))
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _Flaw(f"the id {name!r} is {kind_of(value)}, it must be a string or an integer")
        identity = str(value)
        if flaw := flaw_of_text(identity):
            raise _Flaw(f"the id {name!r} {flaw}")
        return name, identity


class _Flaw(Exception):
    """What is wrong with a record, and the remedy; `Fields.document` adds where it was found."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason, remedy)


def _string(record: Mapping[str, Any], names: str) -> tuple[str | None, str]:
    """A text field and its value; the field is None where the record has none, the value empty where it is null."""
    name = _first(names, record)
    value = None if name is None else record[name]
    if value is None:
        return name, ""
    if not isinstance(value, str):
        raise _Flaw(f"the field {name!r} is {kind_of(value)}, it must be a string")
    if flaw := flaw_of_text(value):
        raise _Flaw(f"the field {name!r} {flaw}")
    return name, value


def _first(names: str, record: Mapping[str, Any]) -> str | None:
    """The first of the alternatives that has a value, or else that is there at all."""
    if "|" not in names:
        return names if names in record else None
    there = [name for name in names.split("|") if name in record]
    return next((name for name in there if record[name] not in (None, "")), there[0] if there else None)


def _missing(what: str, names: str, there: Collection[str]) -> str:
    wanted = " or ".join(map(repr, names.split("|")))
    return f"it has no {what} {wanted} (it has {', '.join(map(repr, there)) or 'nothing'})"


def _remedy(where: str, what: str) -> str:
    return f"Name the {where} that holds the {what}: --{what} NAME, or Fields({what}=NAME) in Python"
