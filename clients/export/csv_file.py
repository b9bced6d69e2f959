"""Observations as CSV (RFC 4180, UTF-8), one a row, that a spreadsheet can open without running what a model said. Knows no server."""

import csv
import io
import re
from datetime import datetime
from typing import BinaryIO

from guessbook.clients.export.moment import iso
from guessbook.clients.export.rows import Row, rows
from guessbook.clients.export.source import Source

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), and the sign that is put in front of it.
_FORMULA = re.compile(r"[=+\-@\t\r']")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def write(source: Source, file: BinaryIO) -> int:
    """Writes a head and a row per observation; returns how many. A measure that is missing is an empty cell."""
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(Row._fields)
    count = 0
    for row in rows(source):
        writer.writerow([_cell(value) for value in row])
        count += 1
    text.detach()
    return count


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula: with an apostrophe in front where it would.

    Whoever reads the file drops one apostrophe at the beginning of a cell, and has the text as it was.
    """
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def _cell(value: str | float | bool | datetime | None) -> str | float | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso(value)
    return safe(value) if isinstance(value, str) else value
