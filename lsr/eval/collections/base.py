"""What a collection is, and how a name becomes one.

Knows the conventions that hold for every source: only judged queries are evaluated, and whether a document that *is*
the query (the same id) counts as a hit. Knows nothing of engines and measures.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lsr.documents import Document
from lsr.errors import EvaluationError, MissingExtraError

#: Query id -> document id -> grade. Grades are whole numbers; 0 is judged and not relevant.
Qrels = dict[str, dict[str, int]]

#: BEIR sets whose queries are documents of the corpus under the same id: there, a query finds itself, and the published
#: figures leave that hit out (ArguAna: nDCG@10 .315 with it, .414 without).
QUERIES_ARE_DOCUMENTS = frozenset({"arguana", "quora"})

#: An id with this prefix is never taken for a folder and never redirected.
EXACT_ID = "ir_datasets:"


class Collection(Protocol):
    """Documents, queries and judgements under one name."""

    @property
    def name(self) -> str:
        """How people call it: a folder's name or an id of ir_datasets."""

    @property
    def split(self) -> str:
        """Which judgements: `test`, `train`, …; empty where the name says it all."""

    @property
    def location(self) -> str:
        """Where it lies or comes from, for provenance."""

    @property
    def queries(self) -> dict[str, str]:
        """Texts of the judged queries by id, in the order of the judgements. Unjudged queries are left out."""

    @property
    def qrels(self) -> Qrels:
        """Every judgement of the split, also those of documents or queries that are not there."""

    @property
    def drop_self_matches(self) -> bool:
        """Whether a hit whose id is the query's own id is removed before measuring (k + 1 hits are retrieved then)."""

    @property
    def document_count(self) -> int | None:
        """Number of documents, None where it is not known without reading them all."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it and does not stop an evaluation, one sentence each."""

    def documents(self) -> Iterator[Document]:
        """All documents, streaming, always in the same order."""

    def digest(self) -> dict[str, str]:
        """`part -> "xxh3_128:<hex>"`: equal digests mean equal judgements, queries and (where read) documents."""


def load_collection(
    source: str | Path, *, split: str | None = None, drop_self_matches: bool | None = None
) -> Collection:
    """The collection of a BEIR folder or of an `ir_datasets` id.

    Parameters
    ----------
    source : str or Path
        A folder with `corpus.jsonl`, `queries.jsonl` and `qrels/`, else an id such as `beir/scifact/test`. A folder
        goes first; the prefix `ir_datasets:` forces an id.
    split : str, optional
        `test` by default; an id that already names its split needs none.
    drop_self_matches : bool, optional
        Overrides the collection's own rule: on for `beir/*` and `nano-beir/*` ids and for folders named `arguana` or
        `quora`, off for every other folder, whose query and document ids (1, 2, 3…) may be equal by accident.

    Raises
    ------
    EvaluationError
        Nothing of that name (the nearest names are suggested), or files that are missing or malformed.
    MissingExtraError
        An id is asked for and ir_datasets is not installed.
    """
    from lsr.eval.collections.beir import BeirFolder
    from lsr.eval.collections.irds import IrDatasetsCollection, known_ids

    text = str(source)
    if text.startswith(EXACT_ID):
        identifier = text.removeprefix(EXACT_ID)
        return IrDatasetsCollection(identifier, split=split, drop_self_matches=drop_self_matches, exact=True)
    if Path(text).is_dir():
        return BeirFolder(text, split="test" if split is None else split, drop_self_matches=drop_self_matches)
    if Path(text).exists():
        raise EvaluationError(
            f"the collection {text} is a file",
            remedy="Name the folder that holds corpus.jsonl, queries.jsonl and qrels/",
        )
    if isinstance(source, Path) or text.startswith((".", "/", "~")):
        raise EvaluationError(f"there is no folder {text}", remedy=_suggestion(text, []))
    try:
        ids = known_ids()
    except MissingExtraError as error:
        raise MissingExtraError(f"there is no folder {text}, and an id of ir_datasets", error.extra) from None
    if text not in ids:
        raise EvaluationError(f"there is no folder and no ir_datasets id {text!r}", remedy=_suggestion(text, ids))
    return IrDatasetsCollection(text, split=split, drop_self_matches=drop_self_matches)


def judged(
    collection: str | None,
    *,
    split: str | None = None,
    documents: str | Path | None = None,
    queries: str | Path | None = None,
    qrels: str | Path | None = None,
    drop_self_matches: bool | None = None,
) -> Collection | None:
    """The collection that options name: one by its name, or files of one's own; None where none is named.

    Raises
    ------
    EvaluationError
        Both are named, or files without judgements; and what the collections raise.
    """
    from lsr.eval.collections.files import FilesCollection

    files = {"documents": documents, "queries": queries, "qrels": qrels}
    named = [name for name, path in files.items() if path is not None]
    if collection is not None:
        if named:
            raise EvaluationError(
                f"a collection and --{named[0]} are both given", remedy="A collection has its own: leave one out"
            )
        return load_collection(collection, split=split, drop_self_matches=drop_self_matches)
    if not named:
        return None
    if qrels is None:
        raise EvaluationError(f"--{named[0]} is given without judgements", remedy="Add --qrels FILE")
    if split is not None:
        raise EvaluationError("--split is for a collection", remedy="Name the file of the split with --qrels")
    return FilesCollection(qrels, queries=queries, documents=documents, drop_self_matches=drop_self_matches)


def _suggestion(text: str, ids: list[str]) -> str:
    """The nearest folders beside the one that was named, and the nearest ids, as a remedy."""
    path = Path(text)
    beside = [str(other) for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
    short = {i.split("/")[1]: i for i in ids if i.startswith("beir/") and i.count("/") == 1}  # scifact: beir/scifact
    near = [
        *difflib.get_close_matches(text, beside, n=3),
        *(short[name] for name in difflib.get_close_matches(path.name.lower(), list(short), n=2)),
        *difflib.get_close_matches(text, ids, n=3),
    ]
    if near:
        return f"Did you mean {' or '.join(list(dict.fromkeys(near))[:3])}?"
    return "Name a BEIR folder (corpus.jsonl, queries.jsonl, qrels/) or an id such as beir/scifact/test"
