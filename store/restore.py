"""A data folder out of a backup: whole, checked and durable, or not there at all. Knows no gRPC and no kinds of places.

The restored log has the positions, the hash chain and the producers' batches of the one that was copied, up to the backup's head or an earlier commit. But it is
another log from there on, and the old one may still have writers: so it has an id of its own, its producers begin with epochs that nobody had, and its first own
event says where it comes from.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from guessbook.proto.events_pb2 import Event, LogRestored
from guessbook.store import frame, segment
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact, sync_folder
from guessbook.store.environment import MAP_BYTES, Environment, Identity, create
from guessbook.store.errors import LogError, LogFull
from guessbook.store.frame import DamagedFrame, Frame
from guessbook.store.home import Home
from guessbook.store.index import SubjectIndex, position_key
from guessbook.store.log import Append, Log
from guessbook.store.manifest import Copied, Manifest
from guessbook.store.place import DamagedBackup, Place
from guessbook.store.producers import Producers, batch_of
from guessbook.store.verify import verify

DRILL = "guessbook-drill-"  # how the folder of a drill begins, among the temporary files
_MAKING = ".restoring"

Say = Callable[[str], None]


class RestoreFailed(Exception):
    """Nothing was restored, and nothing is left of the attempt."""


class NoRoom(RestoreFailed):
    """There is not as much room as it takes. Nothing is said about the backup by that."""


@dataclass(frozen=True)
class Restored:
    """What was restored. `head` and `chain_hash` are those of the copied log, before the restore's own event."""

    log_id: str
    old_log_id: str
    head: int
    chain_hash: str  # hex
    files: int
    seconds: float
    absent: tuple[str, ...]  # artifacts (SHA-256) that the log refers to and that the backup doesn't have


def restore(
    place: Place,
    backup: Manifest,
    to: Path,
    *,
    actor: str,
    reason: str = "",
    position: int | None = None,
    say: Say = lambda line: None,
) -> Restored:
    """Makes a data folder. `to` must not be there, or be empty; `position`: up to the last commit that ends at or before it.

    Everything is made and checked in a folder beside it, which then takes its place. Raises RestoreFailed, BackupFailed, OSError.
    """
    began = time.monotonic()
    _refuse(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f"{to.name}-", suffix=_MAKING, dir=to.parent))
    try:
        home = Home(making)
        _write_files(place, backup, home, say)
        with _checked():
            tables = _restore_log(place, backup, home, position, say)
            head, chain_hash = tables.head, tables.chain_hash
            log_id = _record(home.log, backup, f"{backup.id} at {place.name}", head, chain_hash, actor, reason)
            say("checking the restored log")
            verdict = verify(home.log)
        if not verdict.ok:
            raise RestoreFailed(f"the restored log is not sound: {verdict.problem}")
        _sync_folders(making)
        os.rename(making, to)
        sync_folder(to.parent)
    except BaseException:
        shutil.rmtree(making)
        raise
    there = {file.sha256 for file in backup.files}
    absent = tuple(sorted(name for name, needed in tables.refers.items() if needed and name not in there))
    took = time.monotonic() - began
    return Restored(log_id, backup.log_id, head, chain_hash.hex(), len(backup.files), took, absent)


def unfinished(to: Path) -> list[Path]:
    """The folders beside it of other restores to there: they are under way, or were killed."""
    return sorted(to.parent.glob(f"{escape(to.name)}-*{_MAKING}"))


def drill(place: Place, backup: Manifest, say: Say = lambda line: None) -> Restored:
    """Restores a backup into a folder for the time being and checks everything in it. Raises RestoreFailed, BackupFailed, OSError.

    It needs as much room in the folder for temporary files as the data takes. Raises NoRoom, before anything is copied, where that is not there.
    """
    _refuse_without_room(backup, Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=DRILL) as folder:
        restored = restore(place, backup, Path(folder) / "data", actor="drill", say=say)
        if (restored.head, restored.chain_hash) != (backup.head, backup.chain_hash):
            raise RestoreFailed(f"the restored log ends at {restored.head}, and the backup's at {backup.head}")
        if lacking := set(restored.absent) - set(backup.missing):
            raise RestoreFailed(f"the log refers to files that the backup doesn't have: {', '.join(sorted(lacking))}")
        artifacts = Artifacts(Home(Path(folder) / "data").artifacts)
        for file in backup.files:
            if file.path.startswith("artifacts/"):
                with _checked():
                    artifacts.verified_path(file.sha256)
        return restored


def _refuse_without_room(backup: Manifest, folder: Path) -> None:
    needed, free = backup.size, shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(f"a drill needs {needed / 1e6:,.0f} MB in {folder}, and {free / 1e6:,.0f} MB are free there")


def _refuse(to: Path) -> None:
    if to.is_mount():
        raise RestoreFailed(f"{to} is where a disk is mounted, and can't be put there as a whole; name a folder in it")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise RestoreFailed(f"{to} is not empty; a backup is only restored to where nothing is")


def _write_files(place: Place, backup: Manifest, home: Home, say: Say) -> None:
    with ThreadPoolExecutor(place.at_once, thread_name_prefix="restore") as pool:
        try:
            for done, _ in enumerate(pool.map(lambda file: _write_file(place, file, home), backup.files), start=1):
                say(f"restored {done} of {len(backup.files)} files")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_file(place: Place, file: Copied, home: Home) -> None:
    """Durable, apart from the folders that it is in."""
    path = home.root / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for block in place.read_object(file.sha256):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    path.chmod(0o600 if path == home.config else 0o444)
    if path.stat().st_size != file.size:
        raise DamagedBackup(f"{file.path} has {path.stat().st_size} bytes, and the manifest says {file.size}")


def _restore_log(place: Place, backup: Manifest, home: Home, position: int | None, say: Say) -> "_Tables":
    """What the restored log has."""
    end = backup.head if position is None else position
    # From the clock: neither this log nor another one restored from the same backup has given such epochs.
    create(home.log, MAP_BYTES, Identity(origin=backup.origin, first_epoch=time.time_ns() // 1000))
    environment = Environment(home.log, MAP_BYTES)
    try:
        tables = _Tables(environment, frame.genesis(backup.origin))
        for one in backup.segments:
            if one.first > end:
                break
            tables.add(*segment.parse(b"".join(place.read_object(one.sha256))), end)
            if tables.head == one.last and tables.chain_hash.hex() != one.chain_hash:
                raise DamagedFrame(one.last, "its hash is not the one in the manifest")
            say(f"restored the log up to position {tables.head}")
    finally:
        environment.close()
    if position is None and (tables.head, tables.chain_hash.hex()) != (backup.head, backup.chain_hash):
        raise DamagedBackup(f"the segments end at position {tables.head}, and the manifest says {backup.head}")
    if not tables.head:
        raise RestoreFailed(f"no commit ends at or before position {end}")
    return tables


class _Tables:
    """The tables of a log that is being made out of stored rows. The subject index is made anew."""

    def __init__(self, environment: Environment, genesis_hash: bytes) -> None:
        self.head, self.chain_hash = 0, genesis_hash
        self.refers: dict[
            str, bool
        ] = {}  # artifacts that were named, and whether the last event that does says they are there
        self._environment = environment
        self._index = SubjectIndex(environment.subjects, environment.subject_heads)
        self._producers = Producers(environment.producers, environment.batches, environment.first_epoch)

    def add(self, frames: list[tuple[int, bytes]], batches: list[tuple[bytes, bytes]], end: int) -> None:
        """Adds rows up to the last frame that ends at or before a position. Raises DamagedFrame, LogError."""
        with self._environment.writing() as transaction:
            for found, data in segment.chain(frames, self.head, self.chain_hash):
                if found.last_position > end:
                    break
                transaction.put(position_key(found.first_position), data, append=True, db=self._environment.frames)
                self._index.add(transaction, found.first_position, _subjects(found))
                self.refers |= segment.references(found)
                self.head, self.chain_hash = found.last_position, found.chain_hash
            for key, row in batches:
                if batch_of(key, row).first_position <= self.head:
                    self._producers.restore(transaction, key, row)


def _subjects(found: Frame) -> set[str]:
    return {event.subject for part in found.message.parts for event in part.events.events}


def _record(folder: Path, backup: Manifest, source: str, head: int, chain_hash: bytes, actor: str, reason: str) -> str:
    """Appends the restored log's first own event, and returns the log's id."""
    log = Log(folder)
    try:
        told = LogRestored(
            old_log_id=backup.log_id,
            new_log_id=log.log_id,
            head=head,
            chain_hash=chain_hash,
            source=source,
            reason=reason,
        )
        event = Event(subject="log", log_restored=told)
        [answer], _ = log.commit([Append([event], actor)], time.time_ns() // 1000)
        if isinstance(answer, LogError):
            raise answer
        return log.log_id
    finally:
        log.close()


@contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except LogFull as error:
        raise NoRoom(f"the log can't be restored: {error}") from error
    except (DamagedFrame, LogError) as error:
        raise RestoreFailed(f"the log can't be restored: {error}") from error
    except (DamagedArtifact, MissingArtifact) as error:
        raise RestoreFailed(f"what was restored is not whole: {error}") from error


def _sync_folders(root: Path) -> None:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        sync_folder(folder)
