"""A collection of one's own: documents, queries and judgements in files of their own, JSON Lines, TSV or TREC.

Knows the three formats and their mistakes. Documents come through `lsr.sources`, so every format of `lsr index` serves,
and TREC's tagged documents too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import xxhash

from lsr.documents import Document
from lsr.errors import EvaluationError
from lsr.eval.collections.base import Qrels
from lsr.eval.collections.trec import read_trec_documents, read_trec_topics
from lsr.sources import read_documents

_QUERIES = 'One {"_id": …, "text": …} a line (.jsonl), id and text by a tab (.tsv), or TREC topics'
_QRELS = (
    'query-id, corpus-id, score by tabs (.tsv), TREC\'s four columns, or {"query_id", "doc_id", "relevance"} a line'
)

#: Suffixes of TREC's tagged text.
TAGGED = (".trec", ".sgml", ".trectext", ".topics")


class FilesCollection:
    """Documents, queries and judgements in three files; a `Collection`.

    Parameters
    ----------
    qrels : str or Path
        Three columns by tabs (BEIR, header or not), TREC's four, or JSON Lines.
    queries : str or Path, optional
        JSON Lines, two columns by a tab, or TREC topics. Without it, runs can be measured and nothing can be searched.
    documents : str or Path, optional
        Whatever `lsr index` reads, or TREC documents (.trec, .sgml, .trectext). Without it nothing can be indexed.
    name : str, optional
        The name of the judgements' file, without its suffix, by default.
    drop_self_matches : bool, optional
        Off by default: ids like 1, 2, 3 of queries and documents are equal by accident.

    Raises
    ------
    EvaluationError
        A file is missing, empty or malformed; the message names file and line.
    """

    def __init__(
        self,
        qrels: str | Path,
        *,
        queries: str | Path | None = None,
        documents: str | Path | None = None,
        name: str | None = None,
        drop_self_matches: bool | None = None,
    ) -> None:
        self._qrels, self._queries = Path(qrels), None if queries is None else Path(queries)
        self._documents = None if documents is None else Path(documents)
        self.name = name or self._qrels.name.partition(".")[0]
        self.split = ""
        self.location = str(self._qrels.resolve())
        self.drop_self_matches = bool(drop_self_matches)
        self.qrels: Qrels = read_qrels(self._qrels)
        texts = {} if self._queries is None else read_queries(self._queries)
        self.queries: dict[str, str] = {query: texts[query] for query in self.qrels if query in texts}
        self.warnings: tuple[str, ...] = ()
        missing = [query for query in self.qrels if query not in texts]
        if self._queries is not None and len(missing) == len(self.qrels):
            raise EvaluationError(f"no query of {self._queries} is judged in {self._qrels}", remedy="Compare their ids")
        if missing and self._queries is not None:
            self.warnings = (
                f"{len(missing)} judged queries have no text in {self._queries.name} (first: {missing[0]!r}); "
                "they count as 0",
            )

    def documents(self) -> Iterator[Document]:
        if self._documents is None:
            raise EvaluationError(
                f"the collection {self.name} has no documents to index",
                remedy="Add --documents FILE, or evaluate an index that holds them",
            )
        if self._documents.suffix.lower() in TAGGED:
            yield from read_trec_documents(self._documents)
        else:
            yield from read_documents(self._documents)

    @cached_property
    def document_count(self) -> int | None:
        """Unknown without reading them all."""
        return None

    def digest(self) -> dict[str, str]:
        parts = {"qrels": self._qrels, "queries": self._queries, "corpus.jsonl": self._documents}
        return {part: file_digest(path) for part, path in parts.items() if path is not None and path.is_file()}


def file_digest(path: Path) -> str:
    """`xxh3_128:<hex>` of a file."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return f"xxh3_128:{state.hexdigest()}"


def read_queries(path: Path) -> dict[str, str]:
    """Query id -> text."""
    text = _text(path)
    if re.search(r"<top>|<topic\b", text, re.IGNORECASE):
        return read_trec_topics(text, path)
    found: dict[str, str] = {}
    for number, line in _lines(text):
        where = f"{path}, line {number}"
        if line.lstrip().startswith("{"):
            record = _object(where, line)
            query, words = _field(where, record, ("_id", "id", "query_id", "qid")), record.get("text")
            words = record.get("query") if words is None else words
            if not isinstance(words, str):
                raise EvaluationError(f"{where}: the query {query!r} has no text", remedy=_QUERIES)
        else:
            query, tab, words = line.partition("\t")
            if not tab or not query.strip():
                raise EvaluationError(f"{where}: no id and text by a tab", remedy=_QUERIES)
            if number == 1 and query.strip().lower() in ("query-id", "query_id", "qid", "_id"):
                continue
        if found.setdefault(query.strip(), words) != words:
            raise EvaluationError(f"{where}: the query {query!r} is there twice, and differs")
    if not found:
        raise EvaluationError(f"{path} holds no query", remedy=_QUERIES)
    return found


def read_qrels(path: Path) -> Qrels:
    """Query id -> document id -> grade; of two grades of one pair the last counts."""
    found: Qrels = {}
    for number, line in _lines(_text(path)):
        where = f"{path}, line {number}"
        if line.lstrip().startswith("{"):
            record = _object(where, line)
            query = _field(where, record, ("query_id", "query-id", "query", "qid"))
            document = _field(where, record, ("doc_id", "corpus-id", "document_id", "docid"))
            grade = next((record[name] for name in ("relevance", "score", "grade") if name in record), None)
        else:
            columns = line.split("\t") if "\t" in line else line.split()
            if number == 1 and len(columns) in (3, 4) and not _whole(columns[-1]):
                continue  # a header
            if len(columns) not in (3, 4):
                raise EvaluationError(f"{where}: {len(columns)} columns", remedy=_QRELS)
            query, document, grade = columns[0].strip(), columns[-2].strip(), columns[-1].strip()
        if not _whole(grade):
            raise EvaluationError(f"{where}: the grade {grade!r} is not a whole number", remedy=_QRELS)
        found.setdefault(query, {})[document] = int(str(grade))
    if not found:
        raise EvaluationError(f"{path} holds no judgement", remedy=_QRELS)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: not UTF-8 ({error.reason})") from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line.strip():
            yield number, line


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise EvaluationError(f"{where}: not JSON ({error})") from None
    assert isinstance(record, dict)  # it begins with a brace
    return record


def _field(where: str, record: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    raise EvaluationError(f"{where}: none of {', '.join(names)} is there")


def _whole(value: object) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"[+-]?\d+", str(value).strip()) is not None
