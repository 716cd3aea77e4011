"""A collection in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`.

Streams the corpus, keeps queries and judgements. Knows the files and their mistakes; nothing of downloads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import xxhash

from lsr.documents import Document
from lsr.errors import EvaluationError
from lsr.eval.collections.base import QUERIES_ARE_DOCUMENTS, Qrels

_LAYOUT = "A BEIR folder holds corpus.jsonl, queries.jsonl and qrels/<split>.tsv"
_HEADER = ["query-id", "corpus-id", "score"]


class BeirFolder:
    """A folder in BEIR's layout; a `Collection`.

    Parameters
    ----------
    folder : str or Path
        Holds `corpus.jsonl`, `queries.jsonl` and `qrels/`.
    split : str
        Names the file of judgements, `qrels/<split>.tsv`: three tab-separated columns with a header line, or TREC's
        four columns without.
    drop_self_matches : bool, optional
        By default on for folders named arguana or quora only.

    Raises
    ------
    EvaluationError
        A file is missing, empty or malformed; the message names file and line.
    """

    def __init__(self, folder: str | Path, *, split: str = "test", drop_self_matches: bool | None = None) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self.split = split
        self.location = str(self.folder.resolve())
        if drop_self_matches is None:
            drop_self_matches = self.name.lower() in QUERIES_ARE_DOCUMENTS
        self.drop_self_matches = drop_self_matches
        self._corpus = self._file("corpus.jsonl")
        self._queries = self._file("queries.jsonl")
        self._judgements = self._file(f"qrels/{split}.tsv")
        self.qrels, conflicts = _read_qrels(self._judgements)
        texts = self._read_queries()
        self.queries: dict[str, str] = {query: texts[query] for query in self.qrels if query in texts}
        self.warnings = self._odd(conflicts)

    def documents(self) -> Iterator[Document]:
        for number, record in _lines(self._corpus):
            title, text = record.get("title") or "", record.get("text") or ""
            for field, value in (("title", title), ("text", text)):
                if not isinstance(value, str):
                    raise EvaluationError(f"{self._corpus}, line {number}: {field} is {value!r}, it must be a string")
            rest = {key: value for key, value in record.items() if key not in ("_id", "title", "text", "metadata")}
            extra = record.get("metadata")
            metadata = {**extra, **rest} if isinstance(extra, dict) else rest
            yield Document(_identifier(self._corpus, number, record), text, title, metadata)

    @cached_property
    def document_count(self) -> int | None:
        """Lines of the corpus that are not blank."""
        with self._corpus.open("rb") as file:
            return sum(1 for line in file if line.strip())

    def digest(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): _file_digest(path)
            for path in (self._corpus, self._queries, self._judgements)
        }

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if path.is_file():
            return path
        if name.startswith("qrels/") and (self.folder / "qrels").is_dir():
            there = sorted(other.stem for other in (self.folder / "qrels").glob("*.tsv"))
            found = f"splits that are there: {', '.join(there) or 'none'}"
        elif self.folder.is_dir():
            found = f"in the folder: {', '.join(sorted(other.name for other in self.folder.iterdir())) or 'nothing'}"
        else:
            found = "the folder does not exist"
        raise EvaluationError(f"the collection {self.folder} has no {name} ({found})", remedy=_LAYOUT)

    def _read_queries(self) -> dict[str, str]:
        texts: dict[str, str] = {}
        for number, record in _lines(self._queries):
            query, text = _identifier(self._queries, number, record), record.get("text")
            if not isinstance(text, str):
                raise EvaluationError(f"{self._queries}, line {number}: the query {query!r} has no text")
            if texts.setdefault(query, text) != text:
                raise EvaluationError(
                    f"{self._queries}, line {number}: the query {query!r} is there twice, and differs"
                )
        return texts

    def _odd(self, conflicts: int) -> tuple[str, ...]:
        odd = []
        if unknown := [query for query in self.qrels if query not in self.queries]:
            odd.append(
                f"{len(unknown)} judged queries have no text in queries.jsonl (first: {unknown[0]!r}); they count as 0"
            )
        if conflicts:
            odd.append(f"{conflicts} judgements contradict an earlier one of the same pair; the last counts")
        return tuple(odd)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, JSON object) of every line that is not blank."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except UnicodeDecodeError as error:
                raise EvaluationError(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
            except json.JSONDecodeError as error:
                raise EvaluationError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno})") from None
            if not isinstance(record, dict):
                raise EvaluationError(
                    f"{path}, line {number}: not a JSON object but {line[:40].decode(errors='replace')!r}"
                )
            yield number, record


def _identifier(path: Path, number: int, record: dict[str, Any]) -> str:
    value = record.get("_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise EvaluationError(f"{path}, line {number}: _id is {value!r}, it must be a string that is not empty")
    return value


def _read_qrels(path: Path) -> tuple[Qrels, int]:
    """Judgements of a file, and how many contradict an earlier one (the last counts)."""
    qrels: Qrels = {}
    conflicts = 0
    with path.open(encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, 1):
                columns = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
                if not line.strip() or (number == 1 and [column.strip() for column in columns] == _HEADER):
                    continue
                if len(columns) == 4:  # TREC: query, iteration, document, grade
                    columns = [columns[0], columns[2], columns[3]]
                query, document, grade = _judgement(path, number, columns)
                judged = qrels.setdefault(query, {})
                conflicts += judged.get(document, grade) != grade
                judged[document] = grade
        except UnicodeDecodeError as error:
            raise EvaluationError(f"{path}: not UTF-8 ({error.reason})") from None
    if not qrels:
        raise EvaluationError(f"{path} holds no judgement", remedy=_LAYOUT)
    return qrels, conflicts


def _judgement(path: Path, number: int, columns: list[str]) -> tuple[str, str, int]:
    if len(columns) != 3 or not columns[0] or not columns[1]:
        raise EvaluationError(
            f"{path}, line {number}: {len(columns)} columns instead of query-id, corpus-id and score",
            remedy="Separate three columns by tabs, or give TREC's four",
        )
    try:
        return columns[0], columns[1], int(columns[2])
    except ValueError:
        raise EvaluationError(f"{path}, line {number}: the score {columns[2]!r} is not a whole number") from None


def _file_digest(path: Path) -> str:
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return f"xxh3_128:{state.hexdigest()}"
