"""Which frames hold events about a subject, so that one run is read without scanning the rest.

A row is (subject, first position of a frame that names it), written in the transaction that writes the frame.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from guessbook.proto.events_pb2 import Event

SUBJECT_LIMIT = 400  # bytes; LMDB takes keys of up to 511
KEY = 8


def position_key(position: int) -> bytes:
    return position.to_bytes(KEY, "big")


def position_of(key: bytes | memoryview) -> int:
    return int.from_bytes(key, "big")


class SubjectIndex:
    """Rows in a database opened with dupsort and dupfixed."""

    def __init__(self, database: Any) -> None:
        self.database = database

    def add(self, transaction: Any, first_position: int, subjects: Iterable[str]) -> None:
        for subject in subjects:
            transaction.put(subject.encode(), position_key(first_position), db=self.database)

    def frames(self, transaction: Any, subjects: Sequence[str], from_frame: int) -> Iterator[int]:
        """First positions of frames from `from_frame` on that name one of the subjects, ascending, each once."""
        rows = [self._subject_frames(transaction, name, from_frame) for name in self._names(transaction, subjects)]
        last = 0
        for first_position in heapq.merge(*rows):
            if first_position != last:
                yield first_position
            last = first_position

    def has(self, transaction: Any, subject: str, first_position: int) -> bool:
        return bool(transaction.cursor(self.database).set_key_dup(subject.encode(), position_key(first_position)))

    def _names(self, transaction: Any, subjects: Sequence[str]) -> Iterator[bytes]:
        for subject in subjects:
            prefix = subject.encode()
            if not subject.endswith("/"):
                yield prefix
                continue
            cursor = transaction.cursor(self.database)
            found = cursor.set_range(prefix)
            while found and bytes(cursor.key()).startswith(prefix):
                yield bytes(cursor.key())
                found = cursor.next_nodup()

    def _subject_frames(self, transaction: Any, subject: bytes, from_frame: int) -> Iterator[int]:
        cursor = transaction.cursor(self.database)
        found = cursor.set_range_dup(subject, position_key(from_frame))
        while found:
            yield position_of(cursor.value())
            found = cursor.next_dup()


def about(event: Event, subjects: Sequence[str]) -> bool:
    """Whether an event is about one of the subjects; one that ends with "/" takes all that begin so. None: all."""
    if not subjects:
        return True
    return any(event.subject.startswith(name) if name.endswith("/") else event.subject == name for name in subjects)
