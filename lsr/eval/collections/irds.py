"""A collection of the `ir_datasets` catalogue, by id.

Knows which ids to prefer and how a record becomes a `Document`. Downloads and caches are ir_datasets' own
(`$IR_DATASETS_HOME`, by default ~/.ir_datasets); nothing is fetched before documents, queries or judgements are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import xxhash

from lsr.documents import Document
from lsr.errors import EvaluationError, MissingExtraError
from lsr.eval.collections.base import EXACT_ID, Qrels

_T = TypeVar("_T")

#: The id that has the good name is the first version, whose judgements nobody publishes with any more.
_PREFERRED = {"beir/webis-touche2020": "beir/webis-touche2020/v2"}


def known_ids() -> list[str]:
    """Every id of the catalogue, sorted. Raises MissingExtraError without ir_datasets."""
    return sorted(_library().registry)


class IrDatasetsCollection:
    """A collection by its `ir_datasets` id; a `Collection`.

    Parameters
    ----------
    identifier : str
        Such as `beir/scifact/test`, or `beir/scifact` with a split.
    split : str, optional
        Appended to an id that has no judgements itself; `test` by default.
    drop_self_matches : bool, optional
        By default on for `beir/*` and `nano-beir/*`, as BEIR and Pyserini do.
    exact : bool
        Take the id as it is, also where another version is the one that publications use.

    Raises
    ------
    EvaluationError
        Unknown id, no judgements, or the data cannot be had.
    MissingExtraError
        ir_datasets is not installed.
    """

    def __init__(
        self,
        identifier: str,
        *,
        split: str | None = None,
        drop_self_matches: bool | None = None,
        exact: bool = False,
    ) -> None:
        notes = []
        preferred = identifier if exact else _PREFERRED.get(identifier, identifier)
        if preferred != identifier:
            notes.append(f"{identifier} is outdated, {preferred} is evaluated ({EXACT_ID}{identifier} for the old one)")
        self.name, self.split = _judged(preferred, split)
        self.location = f"{EXACT_ID}{self.name}"
        self.warnings: tuple[str, ...] = tuple(notes)
        self._dataset = _load(self.name)
        if drop_self_matches is None:
            drop_self_matches = self.name.split("/")[0] in ("beir", "nano-beir")
        self.drop_self_matches = drop_self_matches
        self._documents_digest: str | None = None
        missing = len(self.qrels) - len(self.queries)
        if missing:
            self.warnings += (f"{missing} judged queries have no text; they count as 0",)

    @cached_property
    def qrels(self) -> Qrels:
        def read() -> Qrels:
            qrels: Qrels = {}
            for judgement in self._dataset.qrels_iter():
                qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = int(judgement.relevance)
            return qrels

        return self._had(read)

    @cached_property
    def queries(self) -> dict[str, str]:
        def read() -> dict[str, str]:
            # Sets of a single split list every query, judged or not.
            texts = {query.query_id: query.default_text() for query in self._dataset.queries_iter()}
            return {query: texts[query] for query in self.qrels if query in texts}

        return self._had(read)

    @property
    def document_count(self) -> int | None:
        """From the catalogue's own figures; None where it does not know."""
        metadata = self._dataset.metadata() if hasattr(self._dataset, "metadata") else {}
        count = metadata.get("docs", {}).get("count")
        return int(count) if isinstance(count, int) else None

    def documents(self) -> Iterator[Document]:
        state = xxhash.xxh3_128()
        records = self._had(lambda: iter(self._dataset.docs_iter()))
        while (record := self._had(lambda: next(records, None))) is not None:
            document = _document(record)
            for part in (document.id, document.title, document.text):
                state.update(part.encode("utf-8", "surrogatepass"))
                state.update(b"\0")
            yield document
        self._documents_digest = f"xxh3_128:{state.hexdigest()}"

    def digest(self) -> dict[str, str]:
        """Judgements and queries; documents too once `documents` has been read to its end (never only for this)."""
        parts = {
            "qrels": [
                f"{query}\t{document}\t{grade}" for query, row in self.qrels.items() for document, grade in row.items()
            ],
            "queries": [f"{query}\t{text}" for query, text in self.queries.items()],
        }
        digest = {
            name: "xxh3_128:" + xxhash.xxh3_128("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()
            for name, lines in parts.items()
        }
        if self._documents_digest is not None:
            digest["documents"] = self._documents_digest
        return digest

    def _had(self, read: Callable[[], _T]) -> _T:
        """What `read` gives; a download or file that fails becomes an EvaluationError."""
        try:
            return read()
        except EvaluationError:
            raise
        except Exception as error:  # requests, zip, JSON, I/O: ir_datasets lets them all through
            raise EvaluationError(
                f"the collection {self.name} cannot be read: {type(error).__name__}: {error}",
                remedy="Check the network, or put the source files under $IR_DATASETS_HOME as ir_datasets documents",
            ) from error


def _library() -> Any:
    try:
        import ir_datasets
    except ModuleNotFoundError:
        raise MissingExtraError("a collection by its ir_datasets id", "eval") from None
    return ir_datasets


def _load(identifier: str) -> Any:
    try:
        return _library().load(identifier)
    except KeyError:
        raise EvaluationError(f"ir_datasets knows no collection {identifier!r}") from None


def _judged(identifier: str, split: str | None) -> tuple[str, str]:
    """The id that has judgements, and the split that was appended to find it."""
    known = set(known_ids())
    if identifier not in known:
        raise EvaluationError(f"ir_datasets knows no collection {identifier!r}")
    below = sorted(i for i in known if i.startswith(f"{identifier}/") and _load(i).has_qrels())
    if split is not None and identifier.rsplit("/", 1)[-1] == split:
        split = None
    if split is None and _load(identifier).has_qrels():
        return identifier, ""
    wanted = f"{identifier}/{split or 'test'}"
    if wanted in known and _load(wanted).has_qrels():
        return wanted, split or "test"
    if split == "test" and _load(identifier).has_qrels():  # a set of one split carries no suffix
        return identifier, split
    raise EvaluationError(
        f"the collection {identifier} has no judgements{f' of the split {split!r}' if split else ''}",
        remedy=f"Name one of {', '.join(below)}" if below else "Name a collection that has qrels",
    )


def _document(record: Any) -> Document:
    """Title and text where the record has both fields, else whatever the catalogue calls its text."""
    title, text = getattr(record, "title", None), getattr(record, "text", None)
    if isinstance(title, str) and isinstance(text, str):
        return Document(record.doc_id, text, title)
    return Document(record.doc_id, record.default_text())
