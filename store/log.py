"""The append-only log: append with an expected position, read from a position, head, wait. Knows LMDB, not gRPC.

One process opens it, one thread writes. A commit is one LMDB write transaction: frame, subject index, producer rows, head. LMDB writes the pages,
fdatasyncs and then writes its meta page; `commit` returns after that. Readers copy out and end their transaction at once: one that stays open keeps LMDB from
reusing pages, and the file grows without end.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from guessbook.proto.events_pb2 import Event, Events, HistoryArchived
from guessbook.store import frame
from guessbook.store.environment import MAP_BYTES, Environment
from guessbook.store.errors import (
    FencedEpoch,
    HistoryAbsent,
    LogError,
    LogFailed,
    Malformed,
    NotArchived,
    TooLarge,
    WrongPosition,
)
from guessbook.store.index import SUBJECT_LIMIT, SubjectIndex, about, filtered, position_key
from guessbook.store.producers import Producers, ProducerState, StoredBatch
from guessbook.store.stored_frames import StoredFrames

EVENT_LIMIT = 1024 * 1024  # bytes of one event
BATCH_LIMIT = 2 * 1024 * 1024  # bytes of the events of one append
TIDY_COMMITS = 1000
DROP_FRAMES = 1000  # of one transaction: others wait for it
READ_BYTES = 128 * 1024  # what one read transaction copies out, at least one frame: what each stalled subscriber costs


@dataclass(frozen=True)
class Append:
    """Events to store together or not at all. With a producer name they are stored once per sequence number.

    `raw` is what is stored: `events` as a serialised `Events` message, in the bytes that came over the wire where they did.
    """

    events: Sequence[Event]
    actor: str
    expected_position: int | None = None
    # Refused if anything but a run had an event after this position: what a decision about jobs depends on.
    decided_at: int | None = None
    producer: str = ""
    epoch: int = 0
    sequence: int = 0
    raw: bytes = b""
    # With its own event: from this commit on these frames are read from their archive.
    archive: HistoryArchived | None = None

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", Events(events=self.events).SerializeToString())

    @cached_property
    def subjects(self) -> frozenset[str]:
        return frozenset([event.subject for event in self.events])

    @property
    def decisive(self) -> bool:
        """Whether decisions may depend on it. What happens in a run is many events, and none that a command depends on."""
        return not all(subject.startswith("run/") for subject in self.subjects)


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


@dataclass(frozen=True)
class MapUse:
    map_bytes: int
    used_bytes: int  # ever; pages that are free again are used anew before it grows
    readers: int  # read transactions that are open now


class Log:
    """The log in a folder; created whole if it isn't there. Raises LogInUse, NotALog, DamagedFrame."""

    def __init__(self, folder: Path, *, map_bytes: int = MAP_BYTES) -> None:
        self.folder = folder
        self._environment = Environment(folder, map_bytes)
        try:
            self._open()
        except BaseException:
            self._environment.close()
            raise
        self._appended = threading.Condition()

    def _open(self) -> None:
        opened = self._environment
        self._env, self._table = opened.env, opened.frames
        self._frames = StoredFrames(self.folder, opened.frames, self._env.open_db(b"meta", create=False))
        self.log_id, self.genesis_hash = opened.log_id, frame.genesis(opened.origin)
        self.index = SubjectIndex(opened.subjects, opened.subject_heads)
        self._first_epoch = opened.first_epoch
        self._producers = Producers(opened.producers, opened.batches, opened.first_epoch)
        with self._env.begin() as transaction:
            last = self._last_frame(transaction)
            self.archived_to = self._frames.archived_to(transaction)
            self._frames.remove_unfinished(transaction)
        self.head = Head(0, self.genesis_hash, 0) if last is None else _head_after(last)
        self._commits = 0
        self._decisive = self.head.position  # the last event about anything but a run; after opening it may be any
        while self.archived_to and self.drop_archived():
            pass  # a crash came before all of them were taken out of the table

    def close(self) -> None:
        self._environment.close()

    # ---- writing: one thread ----

    def commit(self, appends: Sequence[Append], now_us: int) -> tuple[list[Receipt | LogError], list[Event]]:
        """Stores appends together, durable when this returns: one answer each, and the events with their positions.

        An append that is refused doesn't touch the others. Raises LogFull, with nothing stored, and LogFailed, after which the log must be closed: what
        the disk holds is unknown until it was opened and verified again.
        """
        answers: list[Receipt | LogError] = []
        stored: list[Append] = []
        now_us = max(now_us, self.head.recorded_at_us)  # recorded time never runs backwards
        after, decisive = self.head.position, self._decisive
        with self._environment.writing() as transaction:
            for append in appends:
                answer = self._admit(transaction, append, after + 1, decisive)
                answers.append(answer)
                if isinstance(answer, Receipt) and not answer.duplicate:
                    stored.append(append)
                    after += answer.count
                    decisive = after if append.decisive else decisive
            head = self._store(transaction, stored, now_us)
            archived = [append.archive for append in stored if append.archive]
            for told in archived:
                self._frames.put_archive(transaction, told)
        events = _recorded(stored, self.head.position + 1, now_us)
        with self._appended:
            self.head, self._decisive = head, decisive
            self.archived_to = archived[-1].last_position if archived else self.archived_to
            self._appended.notify_all()
        self._commits += 1
        if self._commits % TIDY_COMMITS == 0:
            self._env.reader_check()  # a process that was killed while it read keeps old pages, and the file grows with each commit
        return answers, events

    def join(self, producer: str, epoch: int) -> ProducerState:
        """Takes a producer in, durable when this returns; epoch 0 asks for the next. Raises FencedEpoch, LogFull, LogFailed."""
        with self._environment.writing() as transaction:
            return self._producers.join(transaction, producer, epoch)

    def drop_archived(self, most: int = DROP_FRAMES) -> int:
        """Takes frames that are read from their archive out of the table; how many there were. Raises LogFull, LogFailed."""
        with self._environment.writing() as transaction:
            return self._frames.drop_archived(transaction, most)

    def _admit(self, transaction: Any, append: Append, first_position: int, decisive: int) -> Receipt | LogError:
        try:
            _check(append)
            if append.archive:
                self._check_archive(transaction, append.archive)
            if append.producer:
                if append.epoch <= self._first_epoch:
                    raise FencedEpoch(
                        f"producer {append.producer} has not joined this log; epoch {append.epoch} was never given"
                    )
                known = self._producers.known(transaction, append.producer, append.epoch, append.sequence, append.raw)
                if known:
                    return Receipt(known.first_position, known.count, duplicate=True)
            if append.expected_position is not None and append.expected_position != first_position - 1:
                raise WrongPosition(append.expected_position, first_position - 1)
            if append.decided_at is not None and decisive > append.decided_at:
                raise WrongPosition(append.decided_at, decisive)
        except LogError as error:
            return error
        receipt = Receipt(first_position, len(append.events))
        if append.producer:
            stored = StoredBatch(receipt.first_position, receipt.count)
            self._producers.add(transaction, append.producer, append.epoch, append.sequence, stored, append.raw)
        return receipt

    def _store(self, transaction: Any, appends: Sequence[Append], now_us: int) -> Head:
        if not appends:
            return self.head
        first_position = self.head.position + 1
        parts = [frame.Part(append.actor, len(append.events), append.raw) for append in appends]
        data, chain_hash = frame.encode(first_position, now_us, parts, self.head.chain_hash)
        if not transaction.put(position_key(first_position), data, append=True, db=self._table):
            raise LogFailed(f"the log holds frames behind position {first_position} already")
        self.index.add(transaction, first_position, set().union(*(append.subjects for append in appends)))
        return Head(self.head.position + sum(part.count for part in parts), chain_hash, now_us)

    def _check_archive(self, transaction: Any, told: HistoryArchived) -> None:
        if told.first_position != self.archived_to + 1:
            raise NotArchived(
                f"the log is archived up to position {self.archived_to}; {told.file} doesn't go on from there"
            )
        if not (self.archive_folder / told.file).is_file():
            raise NotArchived(f"there is no {told.file} in {self.archive_folder}")
        last = next(self._found_frames(transaction, told.last_position, ()), None)
        if last is None or (last.last_position, last.chain_hash) != (told.last_position, told.chain_hash_after):
            raise NotArchived(f"{told.file} ends elsewhere than a frame of this log")

    # ---- reading: any thread ----

    def read(self, from_position: int, subjects: Sequence[str] = (), limit: int = 0) -> tuple[list[Event], int]:
        """Events from a position on, in order, and where to go on: behind the head if there are no more.

        Copies out about READ_BYTES at most in one short transaction. Raises DamagedFrame: what is damaged is never returned.
        """
        frames, after = self._read_frames(from_position, subjects)
        events = [
            event
            for found in frames
            for event in found.events
            if event.position >= from_position and about(event, subjects)
        ]
        if limit and len(events) >= limit:
            return events[:limit], events[limit - 1].position + 1
        return events, after

    def read_raw(
        self, from_position: int, subjects: Sequence[str] = (), to_position: int | None = None
    ) -> tuple[list[bytes], int]:
        """The same as serialised `Frame` messages, up to a commit's last position. Whole frames are passed on as they are stored."""
        frames, after = self._read_frames(from_position, subjects)
        raw = []
        for found in frames:
            if to_position is not None and found.first_position > to_position:
                break
            if not subjects and found.first_position >= from_position:
                raw.append(found.raw)
            elif part := filtered(found, from_position, subjects):
                raw.append(part.SerializeToString())
        return raw, after

    def _read_frames(
        self, from_position: int, subjects: Sequence[str], max_bytes: int = READ_BYTES
    ) -> tuple[list[frame.Frame], int]:
        frames: list[frame.Frame] = []
        after = max(from_position, 1)
        size = 0
        with self._env.begin(buffers=True) as transaction:
            try:
                for found in self._found_frames(transaction, after, subjects):
                    frames.append(found)
                    size += len(found.raw)
                    if size >= max_bytes:
                        return frames, max(after, found.last_position + 1)
            except HistoryAbsent:
                if not frames:
                    raise
                return frames, max(after, frames[-1].last_position + 1)
            last = self._last_frame(transaction)
        return frames, max(after, last.last_position + 1 if last else 1)

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
        if self.archived_to and self._recorded_at(self.archived_to + 1) <= time_us:
            low = self.archived_to + 1  # so that an archive that was moved away is not missed
        while low < high:
            middle = (low + high + 1) // 2
            if self._recorded_at(middle) <= time_us:
                low = middle
            else:
                high = middle - 1
        return low

    def _recorded_at(self, position: int) -> int:
        frames, _ = self._read_frames(position, (), max_bytes=1)
        return frames[0].message.recorded_at_us

    def chain_hash_at(self, position: int) -> bytes:
        """The chain hash of the frame that holds a position: two logs with the same one are the same up to there. Raises HistoryAbsent, DamagedFrame."""
        with self._env.begin() as transaction:
            if position == self.archived_to:
                return self._hash_before(transaction, position + 1)
            return next(self._found_frames(transaction, position, ())).chain_hash

    @property
    def archive_folder(self) -> Path:
        return self._frames.folder

    def wait(self, position: int, timeout: float) -> bool:
        """Waits until the head is at or behind a position. False: not within `timeout` seconds."""
        with self._appended:
            return self._appended.wait_for(lambda: self.head.position >= position, timeout)

    def map_use(self) -> MapUse:
        """How full the log's map is. A read transaction that stays open keeps LMDB from using pages again."""
        info, page_bytes = self._env.info(), self._env.stat()["psize"]
        # A row a slot: process, thread, and the transaction, or "-" for none.
        readers = [row for row in self._env.readers().splitlines()[1:] if row.split()[-1] != "-"]
        return MapUse(info["map_size"], (info["last_pgno"] + 1) * page_bytes, len(readers))

    def size_bytes(self) -> int:
        """What the log takes on disk."""
        return sum(file.stat().st_blocks * 512 for file in self.folder.rglob("*"))

    def _found_frames(self, transaction: Any, after: int, subjects: Sequence[str]) -> Iterator[frame.Frame]:
        frames = self._frames.scan(transaction, after)
        if not subjects:
            previous: bytes | None = None
            for first_position, data in frames:
                previous = previous or self._hash_before(transaction, first_position)
                found = frame.decode(data, first_position, previous)
                previous = found.chain_hash
                yield found
            return
        begin = next((first_position for first_position, _ in frames), after)
        for first_position in self.index.frames(transaction, subjects, begin):
            stored = self._frames.get(transaction, first_position)
            if stored is None:
                raise frame.DamagedFrame(first_position, "the subject index names it and it is not there")
            yield frame.decode(stored, first_position, self._hash_before(transaction, first_position))

    def _hash_before(self, transaction: Any, first_position: int) -> bytes:
        return self._frames.hash_before(transaction, first_position) or self.genesis_hash

    def _last_frame(self, transaction: Any) -> frame.Frame | None:
        last = self._frames.last(transaction)
        return frame.decode(last[1], last[0], self._hash_before(transaction, last[0])) if last else None


def _head_after(last: frame.Frame) -> Head:
    return Head(last.last_position, last.chain_hash, last.message.recorded_at_us)


def _recorded(appends: Sequence[Append], position: int, now_us: int) -> list[Event]:
    """The events as a reader of the log gets them."""
    events: list[Event] = []
    for append in appends:
        actor = append.actor
        for event in append.events:
            event.position = position
            event.recorded_at_us = now_us
            event.actor = actor
            position += 1
        events += append.events
    return events


def _check(append: Append) -> None:
    size, events = len(append.raw), append.events
    if not events:
        raise Malformed("an append without events")
    if size > BATCH_LIMIT:
        raise TooLarge(f"an append of {size:,} bytes; the limit is {BATCH_LIMIT:,}")
    if size > EVENT_LIMIT and max(event.ByteSize() for event in events) > EVENT_LIMIT:
        raise TooLarge(f"an append with an event of over {EVENT_LIMIT:,} bytes")
    for subject in append.subjects:
        if not 0 < len(subject.encode()) <= SUBJECT_LIMIT or "\0" in subject:
            raise Malformed(f"an event's subject must have 1 to {SUBJECT_LIMIT} bytes, and none of them NUL")
    if any(event.position or event.recorded_at_us or event.actor for event in events):
        raise Malformed(
            "an event that gives itself a position, a recorded time or an actor; these are the log's to give"
        )
