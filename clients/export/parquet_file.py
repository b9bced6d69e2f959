"""Observations as Parquet, one a row, with their types. Needs pyarrow, the extra `parquet`. Knows no server."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

from guessbook.clients.errors import Invalid
from guessbook.clients.export.rows import Row, rows
from guessbook.clients.export.source import Source

GROUP = 16_384  # rows held before they are written


def write(source: Source, file: BinaryIO) -> int:
    """Writes a row per observation; returns how many. A missing measure is null.

    Raises Invalid where pyarrow is missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise Invalid("Parquet needs pyarrow, which is not installed", "pip install 'guessbook[parquet]'") from error
    schema = _schema(pyarrow)
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows(source)):
            named = zip(schema, zip(*group, strict=True), strict=True)
            columns = [pyarrow.array(column, field.type) for field, column in named]
            writer.write_table(pyarrow.table(columns, schema=schema))
            count += len(group)
    return count


def _groups(all_rows: Iterator[Row]) -> Iterator[list[Row]]:
    while group := list(islice(all_rows, GROUP)):
        yield group


def _schema(pyarrow: Any) -> Any:
    """The columns of `Row` in Arrow's types."""
    types = {
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float | None: pyarrow.float32(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind in Row.__annotations__.items()])
