"""Training pairs of files and collections: (query, positive[, negatives[, scores]]), row by row.

Knows formats and what is wrong with a row, which it names by file and line. Knows nothing of tokens or sampling.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsr.errors import MissingExtraError, TrainingDataError
from lsr.training.recipe import Source
from lsr.training.tables import resolve


@dataclass(frozen=True, slots=True)
class Pair:
    """A query, a text that answers it, and perhaps texts that do not, with scores (the positive's first)."""

    query: str
    positive: str
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


def read_pairs(source: Source, folder: Path) -> Iterator[Pair]:
    """The pairs of a source, in its order, without the rows that it excludes.

    Raises
    ------
    TrainingDataError
        Nothing there, or a malformed row: no query, empty text, scores that do not fit. Names file and line. No row has
        a field that `exclude` names.
    MissingExtraError
        A format needs a package that is not installed.
    """
    count = seen = 0
    absent = set(source.exclude)
    for where, row in _rows(source, folder):
        absent -= row.keys()
        if any(str(row.get(key)) in values for key, values in source.exclude.items()):
            continue
        seen += 1
        if int(seen * source.share) == int((seen - 1) * source.share):
            continue
        yield _pair(source, where, row)
        count += 1
        if count == source.limit:
            return
    if absent and seen:  # a misspelt field would let in what is to be left out
        raise TrainingDataError(
            f"no row of {source.path} has the field {min(absent)!r} that `exclude` names", remedy="Check its spelling"
        )
    if not count:
        raise TrainingDataError(f"{source.path} gives no training pair", remedy="Check the file and `exclude`")


def read_rows(source: Source, folder: Path) -> Iterator[tuple[str, dict[str, Any], Pair]]:
    """Where each row stands, the row as it stands there, and its pair; for those who write rows again.

    Raises as `read_pairs` does; `exclude`, `share` and `limit` are not looked at.
    """
    count = 0
    for where, row in _rows(source, folder):
        yield where, row, _pair(source, where, row)
        count += 1
    if not count:
        raise TrainingDataError(f"{source.path} gives no training pair", remedy="Check the file")


def source_name(source: Source) -> str:
    """What a source is called where the recipe gives it no name: its file's or collection's."""
    return source.name or source.path.rstrip("/").rpartition("/")[2].removeprefix("beir:").partition(".")[0]


def source_file(source: Source, folder: Path) -> Path | None:
    """The file or folder of a source, None where it is an id."""
    if source.path.startswith("ir_datasets:"):
        return None
    return resolve(source.path.removeprefix("beir:"), folder)


def _rows(source: Source, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    path = source_file(source, folder)
    if path is None:
        yield from _ir_datasets(source)
    elif source.path.startswith("beir:"):
        yield from _beir(source, path)
    elif path.suffix == ".parquet":
        yield from _parquet(path)
    else:
        yield from _jsonl(path)


def _pair(source: Source, where: str, row: dict[str, Any]) -> Pair:
    query, positive = (_text(row, key, where) for key in (source.query, source.positive))
    negatives = row.get(source.negatives) or []
    if isinstance(negatives, str):
        negatives = [negatives]
    if not isinstance(negatives, list | tuple):
        raise TrainingDataError(f"{where}: {source.negatives} is {negatives!r}, it must be a list of texts")
    for number, text in enumerate(negatives):
        if not isinstance(text, str) or not text.strip():
            raise TrainingDataError(f"{where}: {source.negatives}[{number}] is {text!r}, it must be a text")
    scores = row.get(source.scores)
    if scores is None:
        return Pair(query, positive, tuple(negatives))
    if (
        not isinstance(scores, list | tuple)
        or len(scores) != 1 + len(negatives)
        or any(isinstance(s, bool) or not isinstance(s, int | float) or not math.isfinite(s) for s in scores)
    ):
        raise TrainingDataError(
            f"{where}: {source.scores} is {scores!r}, it must be {1 + len(negatives)} finite numbers",
            remedy="The positive's score first, then each negative's",
        )
    return Pair(query, positive, tuple(negatives), tuple(map(float, scores)))


def _text(row: dict[str, Any], key: str, where: str) -> str:
    if key not in row:
        raise TrainingDataError(
            f"{where}: there is no field {key!r}", remedy=f"Name the right one in the recipe; here are {', '.join(row)}"
        )
    text = row[key]
    if not isinstance(text, str) or not text.strip():
        raise TrainingDataError(f"{where}: {key} is {text!r}, it must be a text", remedy="Mend or remove the row")
    return text


def _jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from lsr.sources.streams import Progress, open_stream

    with open_stream(path, str(path), Progress()) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TrainingDataError(f"{where}: not JSON: {error}", remedy="Mend or remove the row") from None
            if not isinstance(row, dict):
                raise TrainingDataError(f"{where}: a JSON object is expected, not {type(row).__name__}")
            yield where, row


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None
    if not path.is_file():
        raise TrainingDataError(f"{path} does not exist", remedy="Check the path")
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except pyarrow.ArrowException as error:
        raise TrainingDataError(f"{path} is no Parquet file, or a damaged one: {error}") from None


def _beir(source: Source, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every judged (query, relevant document) of a split; document text as `title text`."""
    from lsr.eval.collections.beir import BeirFolder

    collection = BeirFolder(folder, split=source.split)
    wanted = {d for row in collection.qrels.values() for d, grade in row.items() if grade > 0}
    texts = {d.id: d.content for d in collection.documents() if d.id in wanted}
    for query, row in collection.qrels.items():
        for document, grade in row.items():
            if grade > 0 and document in texts and query in collection.queries:
                where = f"{folder}, query {query}, document {document}"
                yield where, {source.query: collection.queries[query], source.positive: texts[document]}


def _ir_datasets(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """Training triples (query, relevant, not relevant) where the id has them, else its relevant judgements."""
    try:
        import ir_datasets
    except ImportError:
        raise MissingExtraError("ir_datasets as a source of training pairs", "eval") from None
    name = source.path.removeprefix("ir_datasets:")
    try:
        dataset: Any = ir_datasets.load(name)
    except KeyError:
        raise TrainingDataError(f"there is no ir_datasets id {name!r}", remedy="See ir-datasets.com") from None
    queries = {query.query_id: query.default_text() for query in dataset.queries_iter()}
    store = dataset.docs_store()
    if dataset.has_docpairs():
        for number, triple in enumerate(dataset.docpairs_iter(), 1):
            positive, negative = store.get(triple.doc_id_a), store.get(triple.doc_id_b)
            row = {source.query: queries[triple.query_id], source.positive: positive.default_text()}
            yield f"{name}, triple {number}", {**row, source.negatives: [negative.default_text()]}
        return
    for judgement in dataset.qrels_iter():
        if judgement.relevance > 0 and judgement.query_id in queries:
            document = store.get(judgement.doc_id)
            row = {source.query: queries[judgement.query_id], source.positive: document.default_text()}
            yield f"{name}, query {judgement.query_id}", row
