"""Backups: a copy of the log, of every artifact that it refers to, and of the settings, at a place. Made beside a running server or without one.

The log only grows, so what was read of it up to one position belongs together: no long transaction is needed, and nobody is held up. What the place has
already isn't sent again, and each object that is sent is read back before it counts; `verify` reads all of them. Knows no gRPC and no kinds of places.

Secrets stay behind: neither tokens nor private keys are copied. config.yaml is, as it is.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import lmdb

from guessbook.store import manifest, segment, signed_checkpoints
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact, file_blocks
from guessbook.store.errors import HistoryAbsent, LogError
from guessbook.store.frame import DamagedFrame
from guessbook.store.home import Home
from guessbook.store.manifest import Copied, Manifest, Segment
from guessbook.store.place import ID_TIME, BackupFailed, DamagedBackup, Place
from guessbook.store.reader import LogReader

CLOCK = timedelta(hours=1)  # what was made this much later than now was made while the clock was ahead
_ARTIFACTS = "artifacts/"

Say = Callable[[str], None]


class NoSuchBackup(LookupError):
    """The place has no backup of that id."""


class SeveralBackups(LookupError):
    """More than one is meant."""


class NotWhole(BackupFailed):
    """A file that the log refers to is not whole in the data folder, and the place has no copy of it."""


def create(
    home: Home,
    place: Place,
    *,
    kind: str = "manual",
    reason: str = "",
    actor: str,
    skip_missing: bool = False,
    identity: str = "",
    say: Say = lambda line: None,
) -> Manifest:
    """Makes a backup that is durable and was read back when this returns. Raises BackupFailed: then there is none, and the earlier ones are as they were.

    `identity`: its id; else one that tells the time. `skip_missing`: artifacts that are whole neither in the data folder nor at the place are named in the
    manifest, instead of failing with NotWhole.
    """
    began = datetime.now(UTC)
    place.require_same_key()
    writing = _Writing(place, identity or began.strftime(ID_TIME), say)
    place.clean()
    # Before the log is opened: so no checkpoint is of more than the log that is copied.
    settings = [writing.file(home.root, path) for path in _settings(home)]
    with _readable(home.log) as reader:
        base = _base(place, reader, say)
        last = reader.last_frame()
        segments, refers = writing.log(reader, _reusable(reader, base.segments if base else []))
        log_id, origin, genesis = reader.log_id, reader.origin, reader.genesis_hash
    named = _named(base) | refers
    artifacts, missing = writing.artifacts(
        Artifacts(home.artifacts), [name for name, is_there in named.items() if is_there], skip_missing
    )
    made = Manifest(
        id=writing.id,
        kind=kind,
        created=began.isoformat(timespec="seconds"),
        reason=reason,
        actor=actor,
        version=metadata.version("guessbook"),
        log_id=log_id,
        origin=origin,
        head=last.last_position if last else 0,
        chain_hash=(last.chain_hash if last else genesis).hex(),
        segments=segments,
        files=[*settings, *artifacts],
        missing=missing,
        new_bytes=writing.new_bytes,
    )
    place.write_manifest(kind, made.id, made.text())
    return made


def backups(place: Place) -> Iterator[tuple[str, Manifest | DamagedBackup]]:
    """All ids at a place, the newest first, each with its manifest or what is wrong with it. Raises BackupFailed."""
    for name, path in reversed(place.manifests().items()):
        try:
            yield name, manifest.parse(place.read_manifest(path), f"{path} at {place.name}")
        except DamagedBackup as damaged:
            yield name, damaged


def find(place: Place, name: str, note: Say = lambda line: None) -> Manifest:
    """The backup whose id is, or begins with, a name. Raises NoSuchBackup, SeveralBackups, BackupFailed.

    "latest": of the log that was backed up last, the one that goes furthest; `note` gets what was passed over for it. By the clock alone it would be what was
    made while the clock was ahead, and by the position alone, after a restore, what was before it. Logs that have nothing in common are not compared.
    """
    if name == "latest":
        return _latest(place, note)
    paths = {one: path for one, path in place.manifests().items() if one.startswith(name)}
    if name in paths:
        paths = {name: paths[name]}
    if not paths:
        raise NoSuchBackup(f"there is no backup {name} at {place.name}")
    if len(paths) > 1:
        raise SeveralBackups(f"{len(paths)} backups at {place.name} begin with {name}: {', '.join(paths)}")
    [path] = paths.values()
    return manifest.parse(place.read_manifest(path), f"{path} at {place.name}")


def _latest(place: Place, note: Say) -> Manifest:
    found = dict(backups(place))
    whole = [one for one in found.values() if isinstance(one, Manifest)]
    if not whole:
        damaged = f" that can be read; {len(found)} can't" if found else ""
        raise NoSuchBackup(f"there is no backup at {place.name}{damaged}")
    if len({one.origin for one in whole}) > 1:
        newest = {one.origin: one for one in reversed(whole)}.values()
        told = ", ".join(f"{one.id} is of the log {one.log_id}, up to position {one.head}" for one in newest)
        raise SeveralBackups(f"{place.name} has backups of {len(newest)} logs, so none is the latest: {told}")
    now = (datetime.now(UTC) + CLOCK).isoformat(timespec="seconds")
    last = max(whole, key=lambda one: one.created if one.created <= now else "")
    latest = max((one for one in whole if one.log_id == last.log_id), key=lambda one: (one.head, one.id))
    for name, one in found.items():
        if isinstance(one, DamagedBackup) and name > latest.id:
            note(f"the newer backup {name} can't be read and is passed over: {one}")
    if others := {one.log_id for one in whole} - {latest.log_id}:
        note(f"{latest.id} is of the log {latest.log_id}; passed over are backups of {', '.join(sorted(others))}")
    return latest


def verify(place: Place, backup: Manifest, say: Say = lambda line: None) -> list[str]:
    """Reads back all that a backup is made of; what is wrong, an object a line. Raises BackupFailed if the place can't be read."""
    problems: list[str] = []
    objects = backup.objects
    for done, (sha256, size) in enumerate(objects.items(), start=1):
        try:
            read = sum(len(block) for block in place.read_object(sha256))
        except DamagedBackup as damaged:
            problems.append(str(damaged))
        else:
            if read != size:
                problems.append(f"the object {sha256} has {read} bytes, and the manifest says {size}")
        say(f"read back {done} of {len(objects)} objects")
    return problems


class _Writing:
    """A backup on its way to a place: what the place lacks is written, the rest is named."""

    def __init__(self, place: Place, identity: str, say: Say) -> None:
        self.id = identity
        self.new_bytes = 0
        self._place = place
        self._say = say
        self._present = place.objects()

    def file(self, root: Path, path: Path) -> Copied:
        with _unread(path):
            content = path.read_bytes()
        sha256 = self._object(content)
        return Copied(path.relative_to(root).as_posix(), sha256, len(content))

    def log(self, reader: LogReader, reusable: Sequence[Segment]) -> tuple[list[Segment], dict[str, bool]]:
        """All segments of the log, and the artifacts that those name which were read."""
        segments: list[Segment] = []
        refers: dict[str, bool] = {}
        for one in reusable:
            if self._present.get(one.sha256) == one.size:
                segments.append(one)
            else:
                self._read_log(reader, one.first, one.last, segments, refers)
        self._read_log(reader, segments[-1].last + 1 if segments else 1, None, segments, refers)
        return segments, refers

    def _read_log(
        self, reader: LogReader, first: int, last: int | None, segments: list[Segment], refers: dict[str, bool]
    ) -> None:
        for rows in segment.segments(reader, first, last):
            sha256 = self._object(rows.data)
            segments.append(Segment(rows.first, rows.last, rows.chain_hash.hex(), sha256, len(rows.data)))
            refers |= rows.refers
            self._say(f"copied the log up to position {rows.last}")

    def _object(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        if self._present.get(sha256) != len(data):
            self._place.write_object(self.id, [data], sha256)
            self._present[sha256] = len(data)
            self.new_bytes += len(data)
        return sha256

    def artifacts(
        self, artifacts: Artifacts, names: Sequence[str], skip_missing: bool
    ) -> tuple[list[Copied], list[str]]:
        """The files, and the names of those that are not whole here."""
        copied = {name: self._present[name] for name in names if self._has(artifacts.place(name), name)}
        missing: list[str] = []

        def copy(name: str) -> tuple[int, int] | NotWhole:
            """Its bytes, and how many of them are new."""
            try:
                size = self._place.write_object(self.id, file_blocks(artifacts.path(name)), name)[1]
            except (MissingArtifact, DamagedArtifact) as error:
                kept = self._kept(name)
                if kept is None:
                    return NotWhole(f"the log refers to the artifact {name}, and it is not whole: {error}")
                return kept, 0
            return size, size

        lacking = [name for name in names if name not in copied]
        with ThreadPoolExecutor(self._place.at_once, thread_name_prefix="backup") as pool:
            try:
                for name, done in zip(lacking, pool.map(copy, lacking), strict=True):
                    if not isinstance(done, NotWhole):
                        copied[name] = done[0]
                        self.new_bytes += done[1]
                        self._say(f"copied {len(copied)} of {len(names)} artifacts")
                    elif skip_missing:
                        missing.append(name)
                    else:
                        raise done
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        place = Artifacts(Path(_ARTIFACTS)).place
        return [Copied(place(name).as_posix(), name, size) for name, size in copied.items()], missing

    def _has(self, path: Path, name: str) -> bool:
        size = self._present.get(name)
        return size is not None and (not path.exists() or path.stat().st_size == size)

    def _kept(self, name: str) -> int | None:
        """The bytes of an artifact that is whole at the place; None: it isn't. Perhaps it is the last copy that there is, so it goes on being named."""
        try:
            return sum(len(block) for block in self._place.read_object(name))
        except DamagedBackup:
            return None


def _settings(home: Home) -> list[Path]:
    """The config, the public keys, and of each log the newest signed checkpoint: it says all that the older ones do."""
    newest = {}
    for file in signed_checkpoints.files(home.signed_checkpoints):
        newest[signed_checkpoints.log_id_of(file)] = file
    keys = sorted(home.signed_checkpoints.glob(f"*{signed_checkpoints.KEY_SUFFIX}"))
    return [path for path in (home.config, *newest.values(), *keys) if path.exists()]


def _named(base: Manifest | None) -> dict[str, bool]:
    """The artifacts that an earlier backup found named."""
    if base is None:
        return {}
    copied = [file.sha256 for file in base.files if file.path.startswith(_ARTIFACTS)]
    return dict.fromkeys([*copied, *base.missing], True)


def _base(place: Place, reader: LogReader, say: Say) -> Manifest | None:
    """The newest backup of which the whole log is the beginning of this one.

    Not one that only shares the first segments, as after a restore: which files it names depends on what came later in it, a purge say.
    """
    for name, found in backups(place):
        if isinstance(found, DamagedBackup):
            say(f"the backup {name} is passed over: {found}")
        elif found.origin == reader.origin and found.head <= _head(reader) and _agrees(reader, found):
            return found
    return None


def _head(reader: LogReader) -> int:
    last = reader.last_frame()
    return last.last_position if last else 0


def _reusable(reader: LogReader, segments: Sequence[Segment]) -> Sequence[Segment]:
    """The segments of the base that need not be read. One that isn't full does, unless the log ends with it."""
    if not segments:
        return segments
    last = segments[-1]
    grows = last.size < segment.BYTES and last.last < _head(reader) and _is_there(reader, last.first)
    return segments[:-1] if grows else segments


def _is_there(reader: LogReader, position: int) -> bool:
    """Whether a position can be read again: it may be in an archive that was moved away."""
    try:
        next(reader.frames(position), None)
    except HistoryAbsent:
        return False
    return True


def _agrees(reader: LogReader, made: Manifest) -> bool:
    if not made.head:
        return True
    if not _is_there(reader, made.head):
        return False
    found = next(reader.frames(made.head), None)
    return found is not None and (found.last_position, found.chain_hash.hex()) == (made.head, made.chain_hash)


@contextmanager
def _readable(folder: Path) -> Iterator[LogReader]:
    try:
        with LogReader(folder) as reader:
            yield reader
    except (LogError, DamagedFrame, lmdb.Error) as error:
        raise BackupFailed(f"the log can't be copied: {error}") from error


@contextmanager
def _unread(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{path} can't be read: {error}") from error
