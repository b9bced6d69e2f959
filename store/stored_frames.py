"""A log's frames in their order, wherever they lie: what was archived in its files, the rest in the table. Checks nothing; knows no event.

What the log says was archived is always read from the archive. So while frames that are archived still lie in the table, because a crash came before
they were taken out, nobody sees them twice.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guessbook.proto.events_pb2 import HistoryArchived
from guessbook.store import frame
from guessbook.store.archive import SUFFIX, Archive
from guessbook.store.frame import DamagedFrame
from guessbook.store.index import position_key, position_of

ARCHIVE_FOLDER = "archive"  # in the log's own
_PREFIX = b"archive/"  # of the rows, one an archive, in the table `meta`: checksum, then the message that the log's event holds
_CHECKSUM = 4


class StoredFrames:
    """`frames` and `meta` are tables of the environment in `folder`. Transactions are the caller's."""

    def __init__(self, folder: Path, frames: Any, meta: Any) -> None:
        self.folder = folder / ARCHIVE_FOLDER
        self._frames = frames
        self._meta = meta
        self._parsed: dict[bytes, Archive] = {}

    def archives(self, transaction: Any) -> list[Archive]:
        """The archives from position 1 on, in order. Raises DamagedFrame."""
        found: list[Archive] = []
        cursor = transaction.cursor(self._meta)
        there = cursor.set_range(_PREFIX)
        while there and bytes(cursor.key()).startswith(_PREFIX):
            found.append(self._archive(bytes(cursor.key()), bytes(cursor.value())))
            there = cursor.next()
        return found

    def archived_to(self, transaction: Any) -> int:
        """The last position that was archived; 0: none."""
        archives = self.archives(transaction)
        return archives[-1].told.last_position if archives else 0

    def put_archive(self, transaction: Any, told: HistoryArchived) -> None:
        """From the transaction's commit on the frames of an archive are read from its file."""
        key, row = _PREFIX + position_key(told.first_position), told.SerializeToString(deterministic=True)
        transaction.put(key, zlib.crc32(key + row).to_bytes(_CHECKSUM, "big") + row, db=self._meta)

    def drop_archived(self, transaction: Any, most: int) -> int:
        """Takes frames that are archived out of the table, `most` at most; how many there were."""
        cut, dropped = self.archived_to(transaction), 0
        cursor = transaction.cursor(self._frames)
        cursor.first()
        while dropped < most and cursor.key() and position_of(cursor.key()) <= cut:
            cursor.delete()  # and goes on to the next one
            dropped += 1
        return dropped

    def remove_unfinished(self, transaction: Any) -> None:
        """Removes what a crash left of archives that the log doesn't tell of: their frames are all still in the table."""
        known = {archive.place for archive in self.archives(transaction)}
        cursor = transaction.cursor(self._frames)
        begin = position_of(cursor.key()) if cursor.first() else 1
        for file in self.folder.glob(f"*{SUFFIX}"):
            if file not in known and file.name.split("-")[0].isdigit() and int(file.name.split("-")[0]) >= begin:
                file.unlink()
        for file in self.folder.glob("*.tmp"):
            file.unlink()

    def scan(self, transaction: Any, position: int) -> Iterator[tuple[int, bytes]]:
        """(first position, bytes) of the frames from the one that holds a position on; the last one if it is behind the end.

        Raises HistoryAbsent, DamagedFrame.
        """
        cut = 0
        for archive in self.archives(transaction):
            cut = archive.told.last_position
            if cut >= position:
                yield from archive.scan(position)
        cursor = transaction.cursor(self._frames)
        there = self._seek(cursor, max(position, cut + 1))
        while there:
            yield position_of(cursor.key()), bytes(cursor.value())
            there = cursor.next()

    def get(self, transaction: Any, first_position: int) -> bytes | None:
        """The frame that begins at a position. Raises HistoryAbsent, DamagedFrame."""
        for archive in self.archives(transaction):
            if archive.told.last_position >= first_position:
                return archive.get(first_position)
        data = transaction.get(position_key(first_position), db=self._frames)
        return None if data is None else bytes(data)

    def hash_before(self, transaction: Any, first_position: int) -> bytes | None:
        """The chain hash of the frame before the one that begins at a position; None: it is the first. Raises HistoryAbsent, DamagedFrame."""
        archives = self.archives(transaction)
        for archive in archives:
            if archive.told.last_position >= first_position:
                return archive.hash_before(first_position)
        if archives and archives[-1].told.last_position == first_position - 1:
            return archives[-1].told.chain_hash_after
        cursor = transaction.cursor(self._frames)
        if cursor.set_key(position_key(first_position)) and cursor.prev():
            return frame.chain_hash_of(bytes(cursor.value()[:64]))
        return None

    def last(self, transaction: Any) -> tuple[int, bytes] | None:
        """The last frame. The one that tells of an archive is never in it, so it is in the table."""
        cursor = transaction.cursor(self._frames)
        return (position_of(cursor.key()), bytes(cursor.value())) if cursor.last() else None

    def _archive(self, key: bytes, row: bytes) -> Archive:
        known = self._parsed.get(row)
        if known is None:
            checksum, message = row[:_CHECKSUM], row[_CHECKSUM:]
            if zlib.crc32(key + message).to_bytes(_CHECKSUM, "big") != checksum:
                raise DamagedFrame(1, f"what the log knows of an archive is damaged, under {key!r}")
            known = Archive(self.folder, HistoryArchived.FromString(message))
            self._parsed[row] = known
        return known

    @staticmethod
    def _seek(cursor: Any, position: int) -> bool:
        """Puts a cursor on the frame that holds a position, or the one before it where that doesn't reach up to it."""
        if not cursor.set_range(position_key(position)):
            return bool(cursor.last())
        return position_of(cursor.key()) == position or bool(cursor.prev() or cursor.first())
