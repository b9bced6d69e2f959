"""Observations as JSON Lines, one a line. Knows no server."""

import json
from typing import BinaryIO

from guessbook.clients.export.moment import iso
from guessbook.clients.export.rows import rows
from guessbook.clients.export.source import Source


def write(source: Source, file: BinaryIO) -> int:
    """Writes an object per observation, whose fields are the columns of `Row`; returns how many. A missing measure is null."""
    count = 0
    for row in rows(source):
        document = row._asdict() | {"recorded_at": iso(row.recorded_at)}
        file.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")
        count += 1
    return count
