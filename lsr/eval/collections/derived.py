"""A collection whose documents are another's, changed one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lsr.documents import Document
from lsr.eval.collections.base import Collection, Qrels


class Derived:
    """`collection` with every document passed through `change`; a `Collection`.

    Parameters
    ----------
    collection : Collection
    what : str
        Names the change; it becomes part of name and digest.
    change : callable
        Gives a document of the same id.
    change_query : callable, optional
        Gives another text of a query.
    """

    def __init__(
        self,
        collection: Collection,
        what: str,
        change: Callable[[Document], Document],
        change_query: Callable[[str], str] | None = None,
    ) -> None:
        self._base = collection
        self._what = what
        self._change = change
        self.name = f"{collection.name} ({what})"
        self.split = collection.split
        self.location = f"{collection.location} ({what})"
        asked = change_query or str
        self.queries: dict[str, str] = {query: asked(text) for query, text in collection.queries.items()}
        self.qrels: Qrels = collection.qrels
        self.drop_self_matches = collection.drop_self_matches
        self.warnings = collection.warnings

    @property
    def document_count(self) -> int | None:
        return self._base.document_count

    def documents(self) -> Iterator[Document]:
        return map(self._change, self._base.documents())

    def digest(self) -> dict[str, str]:
        return {part: f"{digest} ({self._what})" for part, digest in self._base.digest().items()}
