"""The backups: where each one is, whether it was sound when it was read back last, and how well the book is covered (3-2-1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.safety_pb2 import Backup, Coverage, Place

SUBJECT = "backup/"
HOUR_US = 3600 * 1_000_000
FRESH_US = 3 * 24 * HOUR_US  # one is made every day
AHEAD_US = HOUR_US  # what was made this much later than now was made while the clock was ahead
TOLD = 3  # files that are named in a sentence
COPIES, PLACES = 3, 2  # the book itself is a copy, and the data folder a place


@dataclass
class Started:
    kind: str
    operation: str
    at_us: int


@dataclass
class Backups:
    by_place: dict[tuple[str, str], Backup] = field(default_factory=dict)  # (id, place), in the order they were made
    started: dict[str, Started] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # of each backup: place and what was wrong there last

    def fork(self) -> "Backups":
        """The same backups; a change in either is not in the other. A backup is replaced, never changed."""
        failures = {name: places.copy() for name, places in self.failures.items()}
        return Backups(self.by_place.copy(), self.started.copy(), failures)

    def of(self, identity: str) -> list[Backup]:
        return [backup for (known, _), backup in self.by_place.items() if known == identity]

    def sound(self) -> list[Backup]:
        """Those that are there and were whole when they were read back last."""
        return [backup for backup in self.by_place.values() if backup.sound and not backup.pruned_at_us]


def made_at_us(identity: str) -> int | None:
    """When a backup was begun, by its id. The log's own time never runs back: after a clock that was ahead for a moment it tells days wrong."""
    try:
        return int(datetime.strptime(identity, "%Y%m%dT%H%M%SZ-%f").replace(tzinfo=UTC).timestamp() * 1e6)
    except ValueError:
        return None


def coverage(backups: Iterable[Backup], places: Sequence[Place], now_us: int) -> Coverage:
    """How much of 3-2-1 is met: three copies, in two locations, one of them elsewhere. The book in use counts as a copy.

    `backups`: those that are sound; one place counts as one copy, however many backups it holds. The first of `places` is in the data folder, so it is a
    copy but no other location. A copy older than FRESH_US at the time that is asked about counts no more, one from later than that time not at all, and neither
    does one that lacks files.
    """
    known = {place.name: place for place in places}
    fresh = [
        backup
        for backup in backups
        if backup.place in known and now_us - FRESH_US < backup.created_at_us <= now_us + AHEAD_US
    ]
    newest = {backup.place: backup for backup in sorted(fresh, key=lambda backup: backup.head)}
    good = {backup.place for backup in newest.values() if not backup.missing}
    missing = {name for backup in newest.values() for name in backup.missing}
    copies = 1 + len(good)
    offsite = any(known[name].offsite for name in good)
    view = Coverage(copies=copies, places=1 + len(good - {places[0].name}), offsite=offsite)
    view.met = copies >= COPIES and view.places >= PLACES and offsite
    told = [f"{copies} of {COPIES} copies", f"{view.places} location{'s' * (view.places > 1)}"]
    told.append("1 offsite" if offsite else "no offsite")
    view.sentence = f"3-2-1: {', '.join(told)}"
    if missing:
        view.advice = _restoring(sorted(missing), sorted(set(newest) - good))
    elif not view.met:
        view.advice = _advice(known, good, copies, offsite)
    return view


def _restoring(missing: Sequence[str], places: Sequence[str]) -> str:
    named = ", ".join(missing[:TOLD]) + (f" and {len(missing) - TOLD} more" if len(missing) > TOLD else "")
    return (
        f"The newest backup at {', '.join(places)} lacks what is not whole in the data folder: {named}. "
        "Restore an earlier backup that has it and copy it from its artifacts/ to the same path here."
    )


def _advice(known: dict[str, Place], good: set[str], copies: int, offsite: bool) -> str:
    without = sorted(set(known) - good)
    if without:
        return f"`guessbook backup create` makes a backup at {', '.join(without)}, which has no sound one of the last 3 days."
    if copies < COPIES:
        further = " One of them must be offsite." if not offsite else ""
        return f"Name {COPIES - copies} more place{'s' * (COPIES - copies > 1)} under backup.places in config.yaml.{further}"
    return "Mark a place that is on another site with `offsite: true` in config.yaml."


def _started(state: Backups, event: Event, body: events.BackupStarted) -> None:
    identity = event.subject.removeprefix(SUBJECT)
    state.started[identity] = Started(body.kind, body.operation, made_at_us(identity) or event.recorded_at_us)


def _created(state: Backups, event: Event, body: events.BackupCreated) -> None:
    identity = event.subject.removeprefix(SUBJECT)
    started = state.started.get(identity)
    state.by_place[identity, body.place] = Backup(
        id=identity,
        kind=body.kind,
        place=body.place,
        created_at_us=made_at_us(identity) or event.recorded_at_us,
        head=body.head,
        chain_hash=body.chain_hash,
        files=body.files,
        bytes=body.bytes,
        new_bytes=body.new_bytes,
        offsite=body.offsite,
        encrypted=body.encrypted,
        missing=body.missing,
        operation=started.operation if started else "",
    )


def _changed(state: Backups, event: Event, place: str) -> Backup:
    key = (event.subject.removeprefix(SUBJECT), place)
    if key not in state.by_place:
        raise Misplaced(f"there is no backup {key[0]} at {place}")
    backup = Backup()
    backup.CopyFrom(state.by_place[key])
    state.by_place[key] = backup
    return backup


def _verified(state: Backups, event: Event, body: events.BackupVerified) -> None:
    backup = _changed(state, event, body.place)
    backup.verified_at_us, backup.sound, backup.problem = event.recorded_at_us, True, ""
    state.failures.get(backup.id, {}).pop(body.place, None)


def _failed(state: Backups, event: Event, body: events.BackupFailed) -> None:
    key = (event.subject.removeprefix(SUBJECT), body.place)
    state.failures.setdefault(key[0], {})[body.place] = body.error
    if key in state.by_place:
        backup = _changed(state, event, body.place)
        backup.verified_at_us, backup.sound, backup.problem = event.recorded_at_us, False, body.error


def _pruned(state: Backups, event: Event, body: events.BackupPruned) -> None:
    _changed(state, event, body.place).pruned_at_us = event.recorded_at_us


def _drilled(state: Backups, event: Event, body: events.DrillCompleted) -> None:
    backup = _changed(state, event, body.place)
    backup.drilled_at_us = body.at_us or event.recorded_at_us
    backup.sound, backup.problem = body.ok, body.problem


HANDLERS: Handlers = {
    "backup_started": _started,
    "backup_created": _created,
    "backup_verified": _verified,
    "backup_failed": _failed,
    "backup_pruned": _pruned,
    "drill_completed": _drilled,
}
