"""Parquet, through pyarrow (extra `parquet`), a batch of rows at a time.

Values that JSON lacks are written as strings: dates and times in ISO 8601, decimals in digits, bytes as UTF-8.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsr.documents import Document
from lsr.errors import MalformedDocumentError, MissingExtraError, SourceError
from lsr.sources.fields import Fields
from lsr.sources.streams import Progress, reading

_BATCH = 512


def read_parquet(
    path: Path, source: str, fields: Fields, progress: Progress
) -> Iterator[Document | MalformedDocumentError]:
    """The document of each row, or what is wrong with it. `progress` moves in proportion to the rows.

    Raises
    ------
    MissingExtraError
        pyarrow is not installed.
    SourceError
        Not a Parquet file, a damaged one, or one without the columns that `fields` names.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None

    size, before, number = path.stat().st_size, progress.bytes, 0
    try:
        with reading(source), pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if repeated := [name for name in names if names.count(name) > 1]:
                raise SourceError(f"{source}: two columns are called {repeated[0]!r}", remedy="Rename one of them")
            fields.check_columns(names, source)
            rows = file.metadata.num_rows
            for batch in file.iter_batches(_BATCH):
                for record in _whole_microseconds(batch).to_pylist():
                    number += 1
                    try:
                        yield fields.document(
                            {name: _json(value) for name, value in record.items()}, source, number, line=None
                        )
                    except MalformedDocumentError as error:
                        yield error
                progress.bytes = before + size * number // rows
    except (pyarrow.ArrowException, ValueError) as error:  # a ValueError where a value has no like in Python
        raise SourceError(f"{source} is no Parquet file, or a damaged one: {error}") from None


def _whole_microseconds(batch: Any) -> Any:
    """A record batch whose times in nanoseconds, which Python cannot hold, are cut to microseconds."""
    import pyarrow

    types, columns = pyarrow.types, []
    for column in batch.columns:
        if getattr(column.type, "unit", "") == "ns":
            if types.is_timestamp(column.type):
                column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
            else:
                column = column.cast(
                    pyarrow.time64("us") if types.is_time(column.type) else pyarrow.duration("us"), safe=False
                )
        columns.append(column)
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _json(value: Any) -> Any:
    """An Arrow value, as pyarrow gives it to Python, as a JSON value where there is one that says the same."""
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta | decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
