"""What is due by the clock: the daily backup, a drill, versions whose term in the trash is over. Pure: the time is told."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, File, VersionPurged
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, Backup
from guessbook.server.decide.operations import jobs_that_need
from guessbook.store.config import LOCAL, BackupConfig

DAILY = "daily"
PRUNE = "prune-backups"
HOUR_US = 3600 * 1_000_000
WEEK_US = 7 * 24 * HOUR_US


def backups_due(book: Book, config: BackupConfig, now_us: int) -> list[str]:
    """The places that a daily backup is due at.

    All, if none was begun since the last time of day that one is made at: so one that was missed is made up. An hour after the last try, those that have no
    sound one since that time. A book without a dataset has nothing to lose yet. A clock that was set back makes none due twice.
    """
    if not book.datasets.by_sha256:
        return []
    begun = [one.at_us for one in book.backups.started.values() if one.kind == DAILY]
    last_us = max((at_us for at_us in begun if at_us <= now_us + HOUR_US), default=0)
    since = last_time(config, now_us)
    if last_us < since:
        return _places(config)
    if last_us + HOUR_US > now_us:
        return []
    made = {one.place for one in _plausible(book.backups.sound(), now_us) if one.created_at_us >= since}
    return [place for place in _places(config) if place not in made]


def last_time(config: BackupConfig, now_us: int) -> int:
    """The last moment, in microseconds, at which a daily backup was to be made."""
    now = datetime.fromtimestamp(now_us / 1e6, tz=config.zone)
    hour, minute = map(int, config.at.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    last = today if today <= now else today - timedelta(days=1)
    return int(last.timestamp() * 1e6)


def drill_due(book: Book, config: BackupConfig, now_us: int, but: Collection[str] = ()) -> Backup | None:
    """The newest sound backup of the place that was drilled longest ago, one elsewhere before the one in the data folder; not of the places in `but`.

    None: nothing is due, since one was drilled in the last `drill_days` days.
    """
    drilled = dict.fromkeys(_places(config), 0)
    for one in book.backups.by_place.values():
        if one.place in drilled and one.drilled_at_us <= now_us + HOUR_US:
            drilled[one.place] = max(drilled[one.place], one.drilled_at_us)
    known = [one for one in _plausible(book.backups.by_place.values(), now_us) if one.place in drilled]
    since = max(drilled.values()) or min((one.created_at_us for one in known), default=now_us)
    if not config.drill_days or since + config.drill_days * 24 * HOUR_US > now_us:
        return None
    newest = {one.place: one for one in sorted(known, key=lambda one: one.head) if one.sound and not one.pruned_at_us}
    chosen = sorted(newest.keys() - set(but), key=lambda place: (drilled[place], place == LOCAL, place))
    return newest[chosen[0]] if chosen else None


def _places(config: BackupConfig) -> list[str]:
    return [LOCAL, *(place.name for place in config.places)]


def _plausible(backups: Iterable[Backup], now_us: int) -> Iterator[Backup]:
    """Without those that were made while the clock was ahead."""
    return (one for one in backups if one.created_at_us <= now_us + HOUR_US)


def prune_due(book: Book, config: BackupConfig, now_us: int) -> bool:
    """Whether it is a week since backups were pruned, and the config lets that be done without being asked for.

    Not each day: a backup of its own is made and read back before. Never beside another operation.
    """
    if not config.prune or book.operations.under_way():
        return False
    pruned = [
        one.ended_at_us
        for one in book.operations.by_id.values()
        if one.kind == PRUNE and one.stage == OPERATION_STAGE_COMPLETED and one.ended_at_us <= now_us + HOUR_US
    ]
    return max(pruned, default=0) + WEEK_US <= now_us


def referred(book: Book, but: Collection[str] = ()) -> set[str]:
    """The SHA-256 of every artifact that something in the book still needs. A purged version needs nothing any more, and neither do those in `but`."""
    needed = set(book.datasets.by_sha256)
    needed |= {job.dataset for job in book.jobs.jobs.values()} | {
        job.config.held_out for job in book.jobs.jobs.values()
    }
    needed |= {kept.run.report for kept in book.runs.by_id.values()}
    for version in book.versions.versions:
        if not version.purged and version.name not in but:
            needed |= {file.sha256 for file in version.files}
    return needed


def purges(book: Book, now_us: int) -> list[Event]:
    """The versions whose term in the trash is over, and which a sound backup holds that was made after the term, at least a day ago.

    So a clock that jumped ahead destroys nothing, and neither does a server without backups. What a living version came from, or a job needs, stays.
    """
    whole = [one.created_at_us for one in book.backups.sound() if not one.missing]
    made = max((created_us for created_us in whole if created_us + 24 * HOUR_US <= now_us), default=0)
    over = [
        version
        for version in book.versions.versions
        if version.deleted_at_us and not version.purged and version.purge_after_us <= made
    ]
    over = [one for one in over if not book.versions.dependants(one.name) and not jobs_that_need(book, one.name)]
    needed = referred(book, {version.name for version in over})
    events = []
    for version in over:
        # Only what nothing else refers to: what is named here is looked for by nobody any more, no backup either.
        files = [file for file in version.files if file.sha256 not in needed]
        events.append(Event(subject=f"version/{version.name}", version_purged=VersionPurged(files=files)))
    return events


def garbage(book: Book) -> Iterator[File]:
    """The files of purged versions that nothing else needs."""
    needed = referred(book)
    for version in book.versions.versions:
        if version.purged:
            yield from (file for file in version.files if file.sha256 not in needed)
