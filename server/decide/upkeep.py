"""What is due by the clock: the daily backup, a drill, versions whose term in the trash is over. Pure: the time is told."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, File, VersionPurged
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, Backup
from guessbook.store.config import BackupConfig

DAILY = "daily"
PRUNE = "prune-backups"
HOUR_US = 3600 * 1_000_000
WEEK_US = 7 * 24 * HOUR_US


def backup_due(book: Book, config: BackupConfig, now_us: int) -> bool:
    """Whether no daily backup was begun since the last time of day that one is made at: so one that was missed is made up.

    One that failed at every place is tried again after an hour. A book without a dataset has nothing to lose yet. A clock that was set back makes none
    due twice.
    """
    if not book.datasets.by_sha256:
        return False
    daily = [(one.at_us, name) for name, one in book.backups.started.items() if one.kind == DAILY]
    daily = [(at_us, name) for at_us, name in daily if at_us <= now_us + HOUR_US]  # not those of a clock that was ahead
    if not daily:
        return True
    last_us, name = max(daily)
    return last_us < last_time(config, now_us) or (not book.backups.of(name) and last_us + HOUR_US <= now_us)


def last_time(config: BackupConfig, now_us: int) -> int:
    """The last moment, in microseconds, at which a daily backup was to be made."""
    now = datetime.fromtimestamp(now_us / 1e6, tz=config.zone)
    hour, minute = map(int, config.at.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    last = today if today <= now else today - timedelta(days=1)
    return int(last.timestamp() * 1e6)


def drill_due(book: Book, config: BackupConfig, now_us: int) -> Backup | None:
    """The newest sound backup, if none was drilled in the last `drill_days` days; None: nothing is due."""
    sound = book.backups.sound()
    if not config.drill_days or not sound:
        return None
    newest = max(sound, key=lambda one: one.created_at_us)
    drilled = max((one.drilled_at_us for one in book.backups.by_place.values()), default=0)
    since = drilled or min(one.created_at_us for one in book.backups.by_place.values())
    return newest if since + config.drill_days * 24 * 3600 * 1_000_000 <= now_us else None


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

    So a clock that jumped ahead destroys nothing, and neither does a server without backups.
    """
    made = max(
        (one.created_at_us for one in book.backups.sound() if one.created_at_us + 24 * HOUR_US <= now_us), default=0
    )
    over = [
        version
        for version in book.versions.versions
        if version.deleted_at_us and not version.purged and version.purge_after_us <= made
    ]
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
