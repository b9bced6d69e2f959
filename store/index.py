"""Which frames hold events about a subject, so that one run is read without scanning the rest.

Two tables, written in the transaction that writes the frame. `subjects`: for each subject the first positions of the frames that name it, ascending,
each with its number and a checksum. `subject_heads`: for each subject the last of these rows. LMDB checks no data, and a row that is gone would make an
answer incomplete without a word; so whoever reads checks that the rows are all there.
"""

import heapq
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Event, Events
from guessbook.store.frame import DamagedFrame, Frame

SUBJECT_LIMIT = 400  # bytes; LMDB takes keys of up to 511
KEY = 8
_ROW = struct.Struct(">QQI")  # first position, number among the subject's rows from 1 on, checksum


def position_key(position: int) -> bytes:
    return position.to_bytes(KEY, "big")


def position_of(key: bytes | memoryview) -> int:
    """Raises DamagedFrame for a key that no log has written."""
    if len(key) != KEY:
        raise DamagedFrame(0, f"a key of {len(key)} bytes")
    return int.from_bytes(key, "big")


class SubjectIndex:
    """`rows` is a database opened with dupsort and dupfixed, `heads` a plain one."""

    def __init__(self, rows: Any, heads: Any) -> None:
        self._rows = rows
        self._heads = heads

    def add(self, transaction: Any, first_position: int, subjects: Iterable[str]) -> None:
        for subject in subjects:
            name = subject.encode()
            _, number = self._head(transaction, name)
            row = _packed(name, first_position, number + 1)
            transaction.put(name, row, db=self._rows)
            transaction.put(name, row, db=self._heads)

    def frames(self, transaction: Any, subjects: Sequence[str], from_frame: int) -> Iterator[int]:
        """First positions of frames from `from_frame` on that name one of the subjects, ascending, each once. Raises DamagedFrame."""
        rows = [self._subject_frames(transaction, name, from_frame) for name in self._names(transaction, subjects)]
        last = 0
        for first_position in heapq.merge(*rows):
            if first_position != last:
                yield first_position
            last = first_position

    def has(self, transaction: Any, subject: str, first_position: int) -> bool:
        """Whether a frame is there under a subject. Raises DamagedFrame."""
        name = subject.encode()
        cursor = transaction.cursor(self._rows)
        if not cursor.set_range_dup(name, position_key(first_position)):
            return False
        return _unpacked(name, cursor.value())[0] == first_position

    def _names(self, transaction: Any, subjects: Sequence[str]) -> Iterator[bytes]:
        for subject in subjects:
            prefix = subject.encode()
            if not subject.endswith("/"):
                yield prefix
                continue
            names = list(self._beginning(transaction, self._rows, prefix))
            if names != list(self._beginning(transaction, self._heads, prefix)):
                raise DamagedFrame(0, f"the subject index has lost a subject under {subject}")
            yield from names

    def _beginning(self, transaction: Any, database: Any, prefix: bytes) -> Iterator[bytes]:
        cursor = transaction.cursor(database)
        found = cursor.set_range(prefix)
        while found and bytes(cursor.key()).startswith(prefix):
            yield bytes(cursor.key())
            found = cursor.next_nodup()

    def _subject_frames(self, transaction: Any, name: bytes, from_frame: int) -> Iterator[int]:
        last_position, count = self._head(transaction, name)
        cursor = transaction.cursor(self._rows)
        found = cursor.set_range_dup(name, position_key(from_frame))
        before = (_unpacked(name, cursor.value())[1] if cursor.prev_dup() else 0) if found else count
        found = found and cursor.set_range_dup(name, position_key(from_frame))
        if not found and last_position >= from_frame:
            raise _lost(name, from_frame)
        while found:
            position, number = _unpacked(name, cursor.value())
            if number != before + 1:
                raise _lost(name, position)
            yield position
            before, found = number, cursor.next_dup()
        if before != count:
            raise _lost(name, last_position)

    def _head(self, transaction: Any, name: bytes) -> tuple[int, int]:
        """(first position, number) of the subject's last row; zeros where there is none."""
        row = transaction.get(name, db=self._heads)
        return _unpacked(name, row) if row else (0, 0)


def about(event: Event, subjects: Sequence[str]) -> bool:
    """Whether an event is about one of the subjects; one that ends with "/" takes all that begin so. None: all."""
    if not subjects:
        return True
    return any(event.subject.startswith(name) if name.endswith("/") else event.subject == name for name in subjects)


def filtered(found: Frame, from_position: int, subjects: Sequence[str]) -> log_pb2.Frame | None:
    """The part of a frame that is asked for; its events tell their positions themselves."""
    position = found.first_position
    kept = log_pb2.Frame(first_position=position, recorded_at_us=found.message.recorded_at_us)
    for part in found.message.parts:
        chosen = Events()
        for event in part.events.events:
            if position >= from_position and about(event, subjects):
                event.position = position
                chosen.events.append(event)
            position += 1
        if chosen.events:
            kept.parts.append(log_pb2.Part(actor=part.actor, count=len(chosen.events), events=chosen))
    return kept if kept.parts else None


def _lost(name: bytes, position: int) -> DamagedFrame:
    return DamagedFrame(position, f"the subject index has lost rows of {name.decode()}")


def _packed(name: bytes, position: int, number: int) -> bytes:
    return _ROW.pack(position, number, zlib.crc32(name + position_key(position) + position_key(number)))


def _unpacked(name: bytes, row: bytes | memoryview) -> tuple[int, int]:
    if len(row) == _ROW.size:
        position, number, _ = _ROW.unpack(row)
        if bytes(row) == _packed(name, position, number):
            return position, number
    raise DamagedFrame(0, f"a row of the subject index is damaged, under {name.decode(errors='replace')}")
