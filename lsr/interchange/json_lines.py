"""JSON Lines of vectors, `{"id", …, "vector": {word: weight}}`: what Anserini's and Seismic's files have in common.

Other fields are passed over. Knows nothing of vocabularies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from lsr.errors import InvalidSettingError, MalformedDocumentError
from lsr.interchange.format import Batch, ReadTask, WriteTask
from lsr.interchange.streams import files_of, numbered_lines, open_stream
from lsr.interchange.token_batch import TokenBatch
from lsr.interchange.weights import as_numbers, quantised

SUFFIXES = (".jsonl", ".json", ".ndjson")


def read_json_lines(task: ReadTask) -> Iterator[Batch]:
    """Batches of a file, or of all files of a folder, by name."""
    batch = TokenBatch(task)
    for path, name in files_of(task.path, task.name, SUFFIXES):
        with open_stream(path, name) as stream:
            for number, line in numbered_lines(stream, name):
                if not line or line.isspace():
                    continue
                identity, vector = _document(line, name, number)
                add_vector(batch, name, number, identity, vector)
                if batch.full:
                    yield batch.take()
    if len(batch):
        yield batch.take()


def write_json_lines(task: WriteTask, file: BinaryIO, extra: Mapping[str, str]) -> float:
    """One line a document; `extra` fields stand between id and vector. Whole weights are written as integers."""
    if task.words is None:
        raise InvalidSettingError("JSON vectors need words")
    scale = 1.0
    for ids, vectors in task.batches:
        weights, scale = quantised(vectors, task.ceiling)
        words, numbers = task.words.of(vectors.terms), as_numbers(weights)
        borders = vectors.indptr.tolist()
        for identity, start, stop in zip(ids, borders[:-1], borders[1:], strict=True):
            record: dict[str, Any] = {"id": identity, **extra}
            record["vector"] = dict(zip(words[start:stop], numbers[start:stop], strict=True))
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            file.write(line.encode() + b"\n")
    return scale


def add_vector(batch: TokenBatch, file: str, line: int, identity: object, vector: object) -> None:
    """Add what a JSON value says to be a vector; `MalformedDocumentError` where it is none."""
    if not isinstance(vector, dict):
        reason = f"the vector is {json.dumps(vector)[:40]}, it must be an object of words and weights"
        raise MalformedDocumentError(file, line, reason)
    for word, weight in vector.items():
        if type(weight) is not float and type(weight) is not int:
            raise MalformedDocumentError(
                file, line, f"the word {word!r} has weight {json.dumps(weight)[:40]}, which is not a number"
            )
    batch.add(file, line, identity, list(vector), list(vector.values()))


def parse(text: str, file: str, line: int) -> Any:
    """A JSON value; NaN, infinities and a name given twice in an object are refused."""
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        reason = f"malformed JSON: {error.msg} at column {error.colno}"
        raise MalformedDocumentError(file, line, reason) from None
    except (ValueError, RecursionError) as error:  # also a number of too many digits, a value nested too deeply
        raise MalformedDocumentError(file, line, f"malformed JSON: {error}") from None


def _document(text: str, file: str, line: int) -> tuple[Any, Any]:
    record = parse(text, file, line)
    if not isinstance(record, dict):
        raise MalformedDocumentError(file, line, f"a JSON object is expected, this begins {text[:20]!r}")
    for field in ("id", "vector"):
        if field not in record:
            there = ", ".join(map(repr, record)) or "nothing"
            raise MalformedDocumentError(
                file,
                line,
                f"it has no field {field!r} (it has {there})",
                remedy='a line is {"id": …, "vector": {word: weight}}',
            )
    return record["id"], record["vector"]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        again = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {again!r} comes twice in an object")
    return record


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number that JSON has")
