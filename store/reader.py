"""A log opened read-only, beside the server that writes it: for processes that check it or prove something of it. Writes nothing.

In short transactions: one that stays open keeps LMDB from reusing pages, and the file grows.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lmdb

from guessbook.proto.events_pb2 import Event
from guessbook.store import frame
from guessbook.store.archive import Archive
from guessbook.store.environment import FORMAT
from guessbook.store.errors import HistoryAbsent, NotALog
from guessbook.store.index import SubjectIndex
from guessbook.store.producers import Producers, ProducerState
from guessbook.store.stored_frames import StoredFrames

BYTES_PER_TRANSACTION = 16 * 1024  # little, since what is read ahead of damage that ends the process is not reported
ROWS_PER_TRANSACTION = 1000


class LogReader:
    """The log in a folder, up to the end it had when it was opened. Raises NotALog."""

    def __init__(self, folder: Path) -> None:
        try:
            self._env = lmdb.open(str(folder), readonly=True, max_dbs=8, create=False, map_size=0)
        except lmdb.Error as error:
            raise NotALog(f"{folder} can't be opened as a log: {error}") from error
        try:
            meta = self._env.open_db(b"meta", create=False)
            self._frames = StoredFrames(folder, self._env.open_db(b"frames", create=False), meta)
            rows = self._env.open_db(b"subjects", dupsort=True, dupfixed=True, create=False)
            self._index = SubjectIndex(rows, self._env.open_db(b"subject_heads", create=False))
            states = self._env.open_db(b"producers", create=False)
            self._batches = self._env.open_db(b"batches", create=False)
            self._producers = Producers(states, self._batches)
            with self._env.begin() as transaction:
                found = transaction.get(b"format", db=meta)
                self.log_id = (transaction.get(b"log_id", db=meta) or b"").decode(errors="replace")
                origin = transaction.get(b"origin", db=meta)
                self.origin = origin.decode(errors="replace") if origin else self.log_id
                self._last = self._last_key(transaction)
            if found != FORMAT:
                raise NotALog(f"{folder} holds {found!r}, this program reads {FORMAT!r}")
        except lmdb.Error as error:
            self._env.close()
            raise NotALog(f"{folder} can't be opened as a log: {error}") from error
        except BaseException:
            self._env.close()
            raise

    def close(self) -> None:
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def genesis_hash(self) -> bytes:
        return frame.genesis(self.origin)

    def last_frame(self) -> frame.Frame | None:
        """The last frame; None: the log is empty. Raises DamagedFrame."""
        return next(self.frames(self._last), None) if self._last else None

    def frames(self, position: int = 1) -> Iterator[frame.Frame]:
        """The frames from the one that holds a position on, each checked against the one before. Raises DamagedFrame, lmdb.Error."""
        for found, _ in self.stored_frames(position):
            yield found

    def stored_frames(self, position: int = 1) -> Iterator[tuple[frame.Frame, bytes]]:
        """The same, each with its bytes as they are stored."""
        after, chain_hash = self._before(position)
        while after < self._last:
            copied, failure = self._copy(after + 1)
            for first_position, data in copied:
                if first_position != after + 1:
                    raise frame.DamagedFrame(after + 1, f"it is missing; the next one begins at {first_position}")
                decoded = frame.decode(data, first_position, chain_hash)
                if not decoded.count:
                    raise frame.DamagedFrame(first_position, "it holds no event")
                yield decoded, data
                after, chain_hash = decoded.last_position, decoded.chain_hash
            if failure:
                raise failure
            if not copied:
                raise frame.DamagedFrame(after + 1, "it is missing")

    def events(self, first: int, last: int) -> Iterator[Event]:
        """The events from one position up to and including another. Raises DamagedFrame, also if the log ends before."""
        position = first
        for found in self.frames(first):
            for event in found.events[position - found.first_position : last + 1 - found.first_position]:
                yield event
                position += 1
            if position > last:
                return
        if position <= last:
            raise frame.DamagedFrame(position, "the log ends before it")

    def stored_batches(self, first: int, last: int) -> Iterator[tuple[bytes, bytes]]:
        """The rows that tell which producer's batches the events from one position up to another are. Raises DamagedFrame, lmdb.Error."""
        with self._env.begin() as transaction:
            names = self._producers.names(transaction)
        for name in names:
            with self._env.begin() as transaction:
                rows = self._producers.rows(transaction, name, first, last)
            yield from rows

    def archives(self) -> list[Archive]:
        """What was archived, as the log tells it now. Raises DamagedFrame."""
        with self._env.begin() as transaction:
            return self._frames.archives(transaction)

    def producer_states(self) -> dict[str, ProducerState]:
        """Every producer that joined. Raises DamagedFrame, lmdb.Error."""
        with self._env.begin() as transaction:
            return {name: self._producers.state(transaction, name) for name in self._producers.names(transaction)}

    def batches(self) -> Iterator[tuple[bytes, bytes]]:
        """The row of every batch: key and row, unchecked, each producer's in the order of their sequence. Raises lmdb.Error."""
        after = b""
        while True:
            with self._env.begin() as transaction:
                cursor = transaction.cursor(self._batches)
                found = cursor.set_range(after)
                rows = list(itertools.islice(cursor.iternext(), ROWS_PER_TRANSACTION)) if found else []
            if not rows:
                return
            yield from rows
            after = rows[-1][0] + b"\0"

    def indexed(self, subject: str, first_position: int) -> bool:
        """Whether the subject index names the frame that begins at a position under a subject."""
        with self._env.begin() as transaction:
            return self._index.has(transaction, subject, first_position)

    def _copy(self, position: int) -> tuple[list[tuple[int, bytes]], lmdb.Error | HistoryAbsent | None]:
        """Stored frames from a position on, and what came in the way of more: what was read before it is good."""
        copied: list[tuple[int, bytes]] = []
        size = 0
        try:
            with self._env.begin(buffers=True) as transaction:
                for first_position, data in self._frames.scan(transaction, position):
                    if size >= BYTES_PER_TRANSACTION or first_position > self._last:
                        break
                    if first_position >= position:
                        copied.append((first_position, data))
                        size += len(data)
        except (lmdb.Error, HistoryAbsent) as error:
            return copied, error
        return copied, None

    def _before(self, position: int) -> tuple[int, bytes]:
        """Where the frame before the one that holds a position ends, and its hash."""
        with self._env.begin(buffers=True) as transaction:
            first_position = next((first for first, _ in self._frames.scan(transaction, position)), 1)
            return first_position - 1, self._frames.hash_before(transaction, first_position) or self.genesis_hash

    def _last_key(self, transaction: Any) -> int:
        last = self._frames.last(transaction)
        return last[0] if last else 0
