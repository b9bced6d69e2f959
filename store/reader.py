"""A log opened read-only, beside the server that writes it: for processes that check it or prove something of it. Writes nothing.

In short transactions: one that stays open keeps LMDB from reusing pages, and the file grows.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lmdb

from guessbook.proto.events_pb2 import Event
from guessbook.store import frame
from guessbook.store.environment import FORMAT
from guessbook.store.errors import NotALog
from guessbook.store.index import SubjectIndex, position_key, position_of

BYTES_PER_TRANSACTION = 16 * 1024  # little, since what is read ahead of damage that ends the process is not reported


class LogReader:
    """The log in a folder, up to the end it had when it was opened. Raises NotALog."""

    def __init__(self, folder: Path) -> None:
        try:
            self._env = lmdb.open(str(folder), readonly=True, max_dbs=8, create=False, map_size=0)
        except lmdb.Error as error:
            raise NotALog(f"{folder} can't be opened as a log: {error}") from error
        try:
            meta = self._env.open_db(b"meta", create=False)
            self._frames = self._env.open_db(b"frames", create=False)
            rows = self._env.open_db(b"subjects", dupsort=True, dupfixed=True, create=False)
            self._index = SubjectIndex(rows, self._env.open_db(b"subject_heads", create=False))
            with self._env.begin() as transaction:
                found = transaction.get(b"format", db=meta)
                self.log_id = (transaction.get(b"log_id", db=meta) or b"").decode(errors="replace")
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
        return frame.genesis(self.log_id)

    def last_frame(self) -> frame.Frame | None:
        """The last frame; None: the log is empty. Raises DamagedFrame."""
        return next(self.frames(self._last), None) if self._last else None

    def frames(self, position: int = 1) -> Iterator[frame.Frame]:
        """The frames from the one that holds a position on, each checked against the one before. Raises DamagedFrame, lmdb.Error."""
        after, chain_hash = self._before(position)
        while after < self._last:
            copied, failure = self._copy(after + 1)
            for first_position, data in copied:
                if first_position != after + 1:
                    raise frame.DamagedFrame(after + 1, f"it is missing; the next one begins at {first_position}")
                decoded = frame.decode(data, first_position, chain_hash)
                if not decoded.count:
                    raise frame.DamagedFrame(first_position, "it holds no event")
                yield decoded
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

    def indexed(self, subject: str, first_position: int) -> bool:
        """Whether the subject index names the frame that begins at a position under a subject."""
        with self._env.begin() as transaction:
            return self._index.has(transaction, subject, first_position)

    def _copy(self, position: int) -> tuple[list[tuple[int, bytes]], lmdb.Error | None]:
        """Stored frames from a position on, and what came in the way of more: what was read before it is good."""
        copied: list[tuple[int, bytes]] = []
        size = 0
        try:
            with self._env.begin(buffers=True) as transaction:
                cursor = transaction.cursor(self._frames)
                found = cursor.set_range(position_key(position))
                while found and size < BYTES_PER_TRANSACTION and position_of(cursor.key()) <= self._last:
                    copied.append((position_of(cursor.key()), bytes(cursor.value())))
                    size += len(copied[-1][1])
                    found = cursor.next()
        except lmdb.Error as error:
            return copied, error
        return copied, None

    def _before(self, position: int) -> tuple[int, bytes]:
        """Where the frame before the one that holds a position ends, and its hash."""
        with self._env.begin(buffers=True) as transaction:
            cursor = transaction.cursor(self._frames)
            if not cursor.set_range(position_key(position)):
                found = cursor.last()
            elif position_of(cursor.key()) == position:
                found = True
            else:
                found = cursor.prev()  # the frame in front of it holds the position
            if not found:
                return 0, self.genesis_hash
            first_position = position_of(cursor.key())
            if not cursor.prev():
                return first_position - 1, self.genesis_hash
            return first_position - 1, frame.chain_hash_of(bytes(cursor.value()[:64]))

    def _last_key(self, transaction: Any) -> int:
        cursor = transaction.cursor(self._frames)
        return position_of(cursor.key()) if cursor.last() else 0
