"""The bytes of a file of books. Knows the folds, no log; whether a file fits a log is judged in saved_books.py.

    magic "GBB1" · SHA-256 of the rest · a line of JSON: log, position, chain hash there, code · the books, pickled

The pickle holds all books at once, so that what they share is written and read once. It is read only after every byte was checked, and can name nothing but
the classes that books are made of: whoever can write into the owner's own folder could make it wrong, but not run.
"""

import hashlib
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import google.protobuf
import numpy as np
from google.protobuf.message import Message

import guessbook.projections
from guessbook.projections.book import Book
from guessbook.proto import events_pb2, history_pb2
from guessbook.store.artifacts import file_blocks, sync_folder

MAGIC = b"GBB1"
_DIGEST = 32
# What arrays and numbers are made of, besides the classes of the folds and of the schema.
_PLAIN = frozenset(
    {
        ("collections", "deque"),
        ("array", "array"),
        ("array", "_array_reconstructor"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
    }
)


class BadBooks(Exception):
    """The file can't be used: why, in words for the server's log."""


@dataclass(frozen=True)
class Facts:
    """What a file of books is of: a log, by its id and its chain hash in the frame that holds `position`, the last book's."""

    log_id: str
    position: int
    chain_hash: str  # hex
    code: str


def write(place: Path, books: Sequence[Book], log_id: str, chain_hash: bytes, *, durable: bool = False) -> None:
    """Puts books, ascending by position, into a file, in place of what it held. Nobody may change them meanwhile. Raises OSError."""
    facts = Facts(log_id, books[-1].position, chain_hash.hex(), code_version())
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f"{place.name}-", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + bytes(_DIGEST))
            sums = _Summing(file)
            sums.write(json.dumps(vars(facts)).encode() + b"\n")
            pickle.Pickler(sums, pickle.HIGHEST_PROTOCOL).dump(list(books))
            file.seek(len(MAGIC))
            file.write(sums.digest.digest())
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(place.parent)


def facts(place: Path) -> Facts:
    """What a file says it is of, after every byte of it was checked. Raises BadBooks."""
    try:
        digest = hashlib.sha256()
        blocks = file_blocks(place)
        first = next(blocks, b"")
        start = len(MAGIC) + _DIGEST
        digest.update(first[start:])
        for block in blocks:
            digest.update(block)
    except OSError as error:
        raise BadBooks(f"it can't be read: {error}") from error
    if first[:start] != MAGIC + digest.digest():
        raise BadBooks("it is not as it was written")
    try:
        return Facts(**json.loads(first[start : first.index(b"\n", start)]))
    except (ValueError, TypeError) as error:
        raise BadBooks("it doesn't begin as a file of books does") from error


def read(place: Path) -> list[Book]:
    """The books of a file whose `facts` were read. They share what they shared. Raises BadBooks, OSError."""
    with place.open("rb") as file:
        file.seek(len(MAGIC) + _DIGEST)
        file.readline()
        books = _BookUnpickler(file).load()
    if not (isinstance(books, list) and books and all(isinstance(book, Book) for book in books)):
        raise BadBooks("it holds no books")
    return books


@cache
def code_version() -> str:
    """Changes whenever what folds, or what is folded, does: what was folded before is then not what would be folded now."""
    versions = (sys.version, np.__version__, google.protobuf.__version__)
    digest = hashlib.sha256(repr(versions).encode())
    for folder in guessbook.projections.__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for schema in (events_pb2, history_pb2):
        digest.update(schema.DESCRIPTOR.serialized_pb)
    return digest.hexdigest()


class _Summing:
    """A file to write to that sums up what it is given."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


class _BookUnpickler(pickle.Unpickler):
    """Makes what a book is made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith(("guessbook.projections.", "guessbook.proto.")):
            found = super().find_class(module, name)
            if isinstance(found, type) and (found.__module__ == module or issubclass(found, Message)):
                return found
        raise BadBooks(f"it names {module}.{name}, which no book is made of")
