"""The LMDB environment that a log lies in: made whole or not at all, opened by one process, never on a network's file system.

Synchronous commits are LMDB's default and stay on: with `sync=False` or `metasync=False` a power cut loses what was acknowledged.
"""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import lmdb

from guessbook.store.artifacts import sync_folder
from guessbook.store.errors import LogFailed, LogFull, LogInUse, NotALog
from guessbook.store.home import LOG_ID

FORMAT = b"guessbook log 1"
MAP_BYTES = 64 * 1024**3  # address space, not disk
MAX_READERS = 1024
RESERVE_BYTES = 16 * 1024**2  # of free disk; more than one commit can take
# Locks and memory maps don't hold what LMDB needs on these.
UNSAFE_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs"})


@dataclass(frozen=True)
class Identity:
    """Which log it is. A restored one is another log with the same beginning: it has its own id, and keeps its origin's for the hash chain."""

    log_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    origin: str = ""  # the id of the log that the chain began in; empty: this one
    first_epoch: int = 0  # that no producer's epoch of the log before has reached


class Environment:
    """Opens the log in a folder, or makes it. Raises LogInUse, NotALog."""

    def __init__(self, folder: Path, map_bytes: int) -> None:
        refuse_network(folder)
        self._folder = folder
        self._pid = os.getpid()
        if not folder.exists():
            create(folder, map_bytes, Identity())
        self._lock = _lock(folder)
        try:
            self.env = lmdb.open(str(folder), map_size=map_bytes, max_dbs=8, max_readers=MAX_READERS, create=False)
            self.env.reader_check()  # slots of processes that were killed would keep old pages for ever
            self.frames = self.env.open_db(b"frames", create=False)
            self.subjects = self.env.open_db(b"subjects", dupsort=True, dupfixed=True, create=False)
            self.subject_heads = self.env.open_db(b"subject_heads", create=False)
            self.producers = self.env.open_db(b"producers", create=False)
            self.batches = self.env.open_db(b"batches", create=False)
            meta = self.env.open_db(b"meta", create=False)
            with self.env.begin() as transaction:
                found = transaction.get(b"format", db=meta)
                self.log_id = (transaction.get(b"log_id", db=meta) or b"").decode()
                self.origin = (transaction.get(b"origin", db=meta) or b"").decode() or self.log_id
                self.first_epoch = int(transaction.get(b"first_epoch", db=meta) or 0)
            if found != FORMAT:
                raise NotALog(f"{folder} holds {found!r}, this program reads {FORMAT!r}")
        except lmdb.Error as error:
            self._lock.close()
            raise NotALog(f"{folder} can't be opened as a log: {error}") from error
        except BaseException:
            self._lock.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A write transaction, durable when the `with` ends. Raises LogFull, with nothing written; LogFailed, after which nothing may be written.

        Room is looked for beforehand: LMDB doesn't tell a full disk that a write met from one that an fsync met, and after the second
        one what is on the disk is unknown.
        """
        if os.getpid() != self._pid:
            raise LogFailed("this process is a fork of the one that opened the log; it must not write")
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < RESERVE_BYTES:
            raise LogFull(f"the disk of the log has less than {RESERVE_BYTES // 2**20} MiB left")
        try:
            with self.env.begin(write=True) as transaction:
                yield transaction
        except lmdb.MapFullError as error:
            raise LogFull("the log has reached the size of its map") from error
        except lmdb.Error as error:
            raise LogFailed(f"a commit failed: {error}") from error

    def close(self) -> None:
        self.env.close()
        self._lock.close()


def refuse_network(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Raises NotALog if the folder lies on a network's file system; says nothing where the system doesn't tell."""
    if not mounts.exists():
        return
    place = folder.resolve()
    found, longest = "", -1
    for line in mounts.read_text().splitlines():
        fields = line.split(" ")
        mount = Path(fields[4].encode().decode("unicode_escape"))
        if place.is_relative_to(mount) and len(mount.parts) >= longest:
            found, longest = fields[fields.index("-") + 1], len(mount.parts)
    if found in UNSAFE_FILE_SYSTEMS:
        raise NotALog(f"{folder} lies on {found}, where a log isn't safe; put the data folder on a local disk")


def _tell(file: Path, log_id: str) -> None:
    """For programs that mustn't open the log, and may know which one it is."""
    with file.open("w") as out:
        out.write(log_id + "\n")
        out.flush()
        os.fsync(out.fileno())


def _lock(folder: Path) -> TextIO:
    lock = (folder / "writer.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LogInUse(f"another process has the log in {folder} open") from error
    return lock


def create(folder: Path, map_bytes: int, identity: Identity) -> None:
    """Makes a log beside its place, whole and durable, and renames it into it: a crash leaves a log or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", suffix=".new", dir=folder.parent))
    try:
        env = lmdb.open(str(temporary), map_size=map_bytes, max_dbs=8)
        meta = env.open_db(b"meta")
        for name in (b"frames", b"subject_heads", b"producers", b"batches"):
            env.open_db(name)
        env.open_db(b"subjects", dupsort=True, dupfixed=True)
        with env.begin(write=True) as transaction:
            transaction.put(b"format", FORMAT, db=meta)
            transaction.put(b"log_id", identity.log_id.encode(), db=meta)
            if identity.origin:
                transaction.put(b"origin", identity.origin.encode(), db=meta)
                transaction.put(b"first_epoch", str(identity.first_epoch).encode(), db=meta)
        env.sync(True)
        env.close()
        _tell(temporary / LOG_ID, identity.log_id)
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
