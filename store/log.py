"""The append-only log: append with an expected position, read from a position, head, wait. Knows LMDB, not gRPC.

One process opens it, one thread writes. A commit is one LMDB write transaction: frame, subject index, producer rows, head. LMDB writes the pages,
fdatasyncs and then writes its meta page; `commit` returns after that. Readers copy out and end their transaction at once: one that stays open keeps LMDB from
reusing pages, and the file grows without end.
"""

import errno
import fcntl
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import lmdb

from guessbook.proto.events_pb2 import Event
from guessbook.store import frame
from guessbook.store.artifacts import sync_folder
from guessbook.store.errors import (
    LogError,
    LogFailed,
    LogFull,
    LogInUse,
    NotALog,
    TooLarge,
    WrongPosition,
)
from guessbook.store.index import SUBJECT_LIMIT, SubjectIndex, about, position_key, position_of
from guessbook.store.producers import Producers, ProducerState

FORMAT = b"guessbook log 1"
MAP_BYTES = 64 * 1024**3  # address space, not disk
MAX_READERS = 1024
EVENT_LIMIT = 1024 * 1024  # bytes of one event
BATCH_LIMIT = 2 * 1024 * 1024  # bytes of the events of one append
READ_BYTES = 1024 * 1024  # what one read transaction copies out, at least one frame


@dataclass(frozen=True)
class Append:
    """Events to store together or not at all. With a producer name they are stored once per sequence number."""

    events: Sequence[Event]
    actor: str
    expected_position: int | None = None
    producer: str = ""
    epoch: int = 0
    sequence: int = 0


@dataclass(frozen=True)
class Receipt:
    """Where an append's events are. `duplicate`: they were stored before, and this is the first answer again."""

    first_position: int
    count: int
    duplicate: bool = False


@dataclass(frozen=True)
class Head:
    position: int  # of the last event; 0: none
    chain_hash: bytes
    recorded_at_us: int


class Log:
    """The log in a folder; created whole if it isn't there. Raises LogInUse, NotALog, DamagedFrame."""

    def __init__(self, folder: Path, *, map_bytes: int = MAP_BYTES) -> None:
        if not folder.exists():
            _create(folder, map_bytes)
        self.folder = folder
        self._pid = os.getpid()
        self._lock = _lock(folder)
        try:
            self._env = lmdb.open(str(folder), map_size=map_bytes, max_dbs=8, max_readers=MAX_READERS, create=False)
            self._env.reader_check()
            self._open()
        except lmdb.Error as error:
            self._lock.close()
            raise NotALog(f"{folder} can't be opened as a log: {error}") from error
        except BaseException:
            self._lock.close()
            raise
        self._appended = threading.Condition()

    def _open(self) -> None:
        self._frames = self._env.open_db(b"frames", create=False)
        self._meta = self._env.open_db(b"meta", create=False)
        subjects = self._env.open_db(b"subjects", dupsort=True, dupfixed=True, create=False)
        self.index = SubjectIndex(subjects)
        self._producers = Producers(
            self._env.open_db(b"producers", create=False), self._env.open_db(b"batches", create=False)
        )
        with self._env.begin() as transaction:
            found = transaction.get(b"format", db=self._meta)
            if found != FORMAT:
                raise NotALog(f"{self.folder} holds {found!r}, this program reads {FORMAT!r}")
            self.log_id = (transaction.get(b"log_id", db=self._meta) or b"").decode()
        self.genesis_hash = frame.genesis(self.log_id)
        with self._env.begin() as transaction:
            last = self._last_frame(transaction)
        self.head = Head(0, self.genesis_hash, 0) if last is None else _head_after(last)

    def close(self) -> None:
        self._env.close()
        self._lock.close()

    # ---- writing: one thread ----

    def commit(self, appends: Sequence[Append], now_us: int) -> tuple[list[Receipt | LogError], list[Event]]:
        """Stores appends together, durable when this returns: one answer each, and the events with their positions.

        An append that is refused doesn't touch the others. Raises LogFull, with nothing stored, and LogFailed, after which the log must be closed: what
        the disk holds is unknown until it was opened and verified again.
        """
        if os.getpid() != self._pid:
            raise LogFailed("this process is a fork of the one that opened the log; it must not write")
        answers: list[Receipt | LogError] = []
        stored: list[Event] = []
        now_us = max(now_us, self.head.recorded_at_us)  # recorded time never runs backwards
        try:
            with self._env.begin(write=True) as transaction:
                for append in appends:
                    first_position = self.head.position + len(stored) + 1
                    answer = self._admit(transaction, append, first_position)
                    answers.append(answer)
                    if isinstance(answer, Receipt) and not answer.duplicate:
                        stored += _recorded(append, first_position, now_us)
                head = self._store(transaction, stored)
        except lmdb.MapFullError as error:
            raise LogFull("the log has reached the size of its map") from error
        except lmdb.Error as error:
            if _no_space(error):
                raise LogFull("the disk of the log is full") from error
            raise LogFailed(f"a commit failed: {error}") from error
        with self._appended:
            self.head = head
            self._appended.notify_all()
        return answers, stored

    def join(self, producer: str, epoch: int) -> ProducerState:
        """Takes a producer in, durable when this returns; epoch 0 asks for the next. Raises FencedEpoch."""
        with self._env.begin(write=True) as transaction:
            return self._producers.join(transaction, producer, epoch)

    def _admit(self, transaction: Any, append: Append, first_position: int) -> Receipt | LogError:
        try:
            _check_sizes(append.events)
            if append.producer:
                known = self._producers.known(
                    transaction, append.producer, append.epoch, append.sequence, append.events
                )
                if known:
                    return Receipt(known.first_position, known.count, duplicate=True)
            if append.expected_position is not None and append.expected_position != first_position - 1:
                raise WrongPosition(append.expected_position, first_position - 1)
        except LogError as error:
            return error
        if append.producer:
            self._producers.add(
                transaction, append.producer, append.epoch, append.sequence, first_position, append.events
            )
        return Receipt(first_position, len(append.events))

    def _store(self, transaction: Any, events: Sequence[Event]) -> Head:
        if not events:
            return self.head
        first_position = events[0].position
        data, chain_hash = frame.encode(first_position, events, self.head.chain_hash)
        if not transaction.put(position_key(first_position), data, append=True, db=self._frames):
            raise LogFailed(f"the log holds frames behind position {first_position} already")
        self.index.add(transaction, first_position, events)
        return Head(events[-1].position, chain_hash, events[-1].recorded_at_us)

    # ---- reading: any thread ----

    def read(self, from_position: int, subjects: Sequence[str] = (), limit: int = 0) -> tuple[list[Event], int]:
        """Events from a position on, in order, and where to go on: behind the head if there are no more.

        Copies out about READ_BYTES at most in one short transaction. Raises DamagedFrame: what is damaged is never returned.
        """
        events: list[Event] = []
        after = max(from_position, 1)
        size = 0
        with self._env.begin(buffers=True) as transaction:
            for data, found in self._found_frames(transaction, after, subjects):
                for event in found.events:
                    if event.position >= after and about(event, subjects):
                        events.append(event)
                        if len(events) == limit:
                            return events, event.position + 1
                size += len(data)
                if size >= READ_BYTES:
                    return events, found.first_position + found.count
            last = self._last_frame(transaction)
        end = 0 if last is None else last.first_position + last.count - 1
        return events, max(after, end + 1)

    def read_all(
        self, from_position: int = 1, subjects: Sequence[str] = (), to_position: int | None = None
    ) -> Iterator[Event]:
        """All events up to and including a position (default: the head as it is now), in short transactions."""
        end = self.head.position if to_position is None else to_position
        after = from_position
        while after <= end:
            events, after = self.read(after, subjects)
            for event in events:
                if event.position > end:
                    return
                yield event

    def position_at(self, time_us: int) -> int:
        """The last position recorded at or before a time; 0 if the log began later."""
        low, high = 0, self.head.position
        while low < high:
            middle = (low + high + 1) // 2
            events, _ = self.read(middle, limit=1)
            if events[0].recorded_at_us <= time_us:
                low = middle
            else:
                high = middle - 1
        return low

    def wait(self, position: int, timeout: float) -> bool:
        """Waits until the head is at or behind a position. False: not within `timeout` seconds."""
        with self._appended:
            return self._appended.wait_for(lambda: self.head.position >= position, timeout)

    def size_bytes(self) -> int:
        """What the log takes on disk."""
        return sum(file.stat().st_blocks * 512 for file in self.folder.iterdir())

    def _found_frames(
        self, transaction: Any, after: int, subjects: Sequence[str]
    ) -> Iterator[tuple[memoryview, frame.Frame]]:
        cursor = transaction.cursor(self._frames)
        if not _seek(cursor, after):
            return
        if not subjects:
            previous = self._hash_before(transaction, position_of(cursor.key()))
            for key, data in cursor.iternext():
                found = frame.decode(bytes(data), position_of(key), previous)
                previous = found.chain_hash
                yield data, found
            return
        for first_position in self.index.frames(transaction, subjects, position_of(cursor.key())):
            data = transaction.get(position_key(first_position), db=self._frames)
            if data is None:
                raise frame.DamagedFrame(first_position, "the subject index names it and it is not there")
            yield data, frame.decode(bytes(data), first_position, self._hash_before(transaction, first_position))

    def _hash_before(self, transaction: Any, first_position: int) -> bytes:
        cursor = transaction.cursor(self._frames)
        cursor.set_key(position_key(first_position))
        return frame.chain_hash_of(bytes(cursor.value()[:64])) if cursor.prev() else self.genesis_hash

    def _last_frame(self, transaction: Any) -> frame.Frame | None:
        cursor = transaction.cursor(self._frames)
        if not cursor.last():
            return None
        first_position = position_of(cursor.key())
        return frame.decode(bytes(cursor.value()), first_position, self._hash_before(transaction, first_position))


def _seek(cursor: Any, position: int) -> bool:
    """Puts a cursor on the frame that holds a position, or the first one behind it."""
    if cursor.set_range(position_key(position)) and position_of(cursor.key()) == position:
        return True
    # The frame in front of it may reach up to the position; if it doesn't, reading from it costs one frame.
    if cursor.key() and cursor.prev():
        return True
    return bool(cursor.last() or cursor.first())


def _head_after(last: frame.Frame) -> Head:
    return Head(last.first_position + last.count - 1, last.chain_hash, last.events[-1].recorded_at_us)


def _recorded(append: Append, first_position: int, now_us: int) -> Sequence[Event]:
    for position, event in enumerate(append.events, start=first_position):
        event.position = position
        event.recorded_at_us = now_us
        event.actor = append.actor
    return append.events


def _check_sizes(events: Sequence[Event]) -> None:
    if not events:
        raise TooLarge("an append without events")
    sizes = [event.ByteSize() for event in events]
    if max(sizes) > EVENT_LIMIT or sum(sizes) > BATCH_LIMIT:
        raise TooLarge(
            f"an append of {sum(sizes):,} bytes whose largest event has {max(sizes):,}; "
            f"the limits are {BATCH_LIMIT:,} and {EVENT_LIMIT:,}"
        )
    for event in events:
        if not 0 < len(event.subject.encode()) <= SUBJECT_LIMIT:
            raise TooLarge(f"an event's subject must have 1 to {SUBJECT_LIMIT} bytes")


def _no_space(error: lmdb.Error) -> bool:
    return isinstance(error, lmdb.DiskError) or os.strerror(errno.ENOSPC) in str(error)


def _lock(folder: Path) -> TextIO:
    lock = (folder / "writer.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LogInUse(f"another process has the log in {folder} open") from error
    return lock


def _create(folder: Path, map_bytes: int) -> None:
    """Makes a log beside its place, whole and durable, and renames it into it: a crash leaves a log or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", suffix=".new", dir=folder.parent))
    try:
        env = lmdb.open(str(temporary), map_size=map_bytes, max_dbs=8)
        meta = env.open_db(b"meta")
        for name in (b"frames", b"producers", b"batches"):
            env.open_db(name)
        env.open_db(b"subjects", dupsort=True, dupfixed=True)
        with env.begin(write=True) as transaction:
            transaction.put(b"format", FORMAT, db=meta)
            transaction.put(b"log_id", str(uuid.uuid4()).encode(), db=meta)
        env.sync(True)
        env.close()
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
