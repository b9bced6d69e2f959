"""A producer's batches that the server has not acknowledged yet, on disk. Knows SQLite, not events and not gRPC.

A batch is durable here before it is sent, and leaves when the server has made it durable there. Sequence numbers go on over restarts, so that a
batch sent twice can be told from a new one.
"""

import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

ASIDE = "superseded"  # a folder beside the spools


class SpoolInUse(Exception):
    """Another process has this spool open."""


class NoRoom(Exception):
    """The disk didn't take the batch. Nothing changed; it may be tried again."""


class Spool:
    """A queue of (sequence, bytes) in one SQLite file. One process at a time; its threads may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS batches (sequence INTEGER PRIMARY KEY, payload BLOB NOT NULL)"
            )
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, last INTEGER, joined INTEGER)"
            )
            self._database.execute("INSERT OR IGNORE INTO counter VALUES (0, 0, 0)")
            self._database.execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, log_id TEXT NOT NULL)")
            self._database.execute("INSERT OR IGNORE INTO log VALUES (0, '')")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise SpoolInUse(f"{path}: {error}; another process of this name seems to run") from error
        self._count, self._bytes = self._measure(self._last())

    def append(self, payload: bytes) -> int:
        """Makes a batch durable and returns its sequence number: the last one plus one. Raises NoRoom."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                sequence = self._last() + 1
                self._database.execute("INSERT INTO batches VALUES (?, ?)", (sequence, payload))
                self._database.execute("UPDATE counter SET last = ?", (sequence,))
                self._database.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise NoRoom(str(error)) from error
            self._count += 1
            self._bytes += len(payload)
        return sequence

    def next_after(self, sequence: int) -> tuple[int, bytes] | None:
        """The first batch after a sequence number, or None."""
        with self._lock:
            row: tuple[int, bytes] | None = self._database.execute(
                "SELECT sequence, payload FROM batches WHERE sequence > ? ORDER BY sequence LIMIT 1", (sequence,)
            ).fetchone()
        return row

    def acknowledge(self, sequence: int) -> None:
        """Drops all batches up to and including this one: the server has them."""
        with self._lock:
            self._drop(sequence)

    def join(self, last_sequence: int, log_id: str = "") -> None:
        """Called with the last sequence number the server has, each time it takes the producer in; drops what it has, and remembers which log that is.

        A spool that meets its server for the first time may hold batches already. The server may know this producer from an
        earlier spool file, so they are numbered behind what it has: they can't have been sent.
        """
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            if not self._database.execute("SELECT joined FROM counter").fetchone()[0]:
                # In two moves, as a key must not be taken even for a moment.
                self._database.execute("UPDATE batches SET sequence = -(sequence + ?)", (last_sequence,))
                self._database.execute("UPDATE batches SET sequence = -sequence")
                self._database.execute("UPDATE counter SET last = last + ?, joined = 1", (last_sequence,))
            self._drop(last_sequence)
            self._database.execute("UPDATE log SET log_id = ?", (log_id,))
            self._database.execute("COMMIT")

    @property
    def log_id(self) -> str:
        """The log that its numbers belong to; empty: it has met none yet."""
        with self._lock:
            return str(self._database.execute("SELECT log_id FROM log").fetchone()[0])

    @property
    def aside(self) -> Path:
        """Where to set it aside when its log is no more: beside its place, under the name of that log."""
        return self.path.with_name(f"{self.path.stem}.log-{self.log_id}{self.path.suffix}")

    def aside_of(self, epoch: int, when: str) -> Path:
        """Where to set it aside when its producer's word counts no more: in a folder that is looked at and never sent from."""
        return self.path.parent / ASIDE / f"{self.path.stem}_{epoch}_{when}{self.path.suffix}"

    def set_aside(self, aside: Path) -> None:
        """Closes it and keeps the file under another name: nobody sends its batches any more. The next spool here is empty."""
        self.close()
        aside.parent.mkdir(parents=True, exist_ok=True)
        # SQLite removes its journal at a clean close; where it could not, the two belong together.
        for suffix in ("-wal", ""):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))

    @property
    def last_sequence(self) -> int:
        with self._lock:
            return self._last()

    def _last(self) -> int:
        return int(self._database.execute("SELECT last FROM counter").fetchone()[0])

    def _drop(self, sequence: int) -> None:
        count, size = self._measure(sequence)
        self._database.execute("DELETE FROM batches WHERE sequence <= ?", (sequence,))
        self._count -= count
        self._bytes -= size

    def _measure(self, sequence: int) -> tuple[int, int]:
        """How many batches there are up to a sequence number, and their bytes."""
        count, size = self._database.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM batches WHERE sequence <= ?", (sequence,)
        ).fetchone()
        return count, size

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Of the batches that wait; the file itself is a little larger and keeps its size for the next ones."""
        return self._bytes

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
