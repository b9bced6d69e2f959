"""Which backups the rules of keeping let go. Pure arithmetic over days.

At each place the newest backup of each of the last `daily` days, `weekly` weeks and `monthly` months that have one is kept. Whatever is referred to is kept
besides: the newest sound one, the one made before an operation that can still be taken back, and every one that nobody could read back.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from guessbook.projections.book import Book
from guessbook.proto.safety_pb2 import Backup
from guessbook.store.config import Keep


def prunable(
    book: Book, keep: Keep, zone: tzinfo = UTC, places: Collection[str] | None = None
) -> list[tuple[str, str]]:
    """(place, backup) of all that may go, oldest first. Days, ISO weeks and months are those of `zone`. `places`: those that can be reached; None: all."""
    referred = needed(book)
    by_place: dict[str, list[Backup]] = defaultdict(list)
    for backup in book.backups.by_place.values():
        if not backup.pruned_at_us and (places is None or backup.place in places):
            by_place[backup.place].append(backup)
    return [
        (place, backup.id)
        for place, backups in sorted(by_place.items())
        for backup in _let_go(backups, keep, zone)
        if backup.id not in referred
    ]


def needed(book: Book) -> set[str]:
    """Backups that an operation may still need: it is under way, or the version it deleted can still be restored."""
    trash = {version.name for version in book.versions.versions if version.deleted_at_us and not version.purged}
    under_way = {operation.id for operation in book.operations.under_way()}
    return {
        operation.backup
        for operation in book.operations.by_id.values()
        if operation.backup and (operation.id in under_way or operation.target in trash)
    }


def _let_go(backups: Sequence[Backup], keep: Keep, zone: tzinfo) -> Iterable[Backup]:
    """Of one place, in the order they were made. A backup that isn't known to be sound neither goes nor makes another go."""
    sound = sorted((backup for backup in backups if backup.sound), key=lambda backup: backup.created_at_us)
    if not sound:
        return []
    days = {backup.id: datetime.fromtimestamp(backup.created_at_us / 1e6, tz=zone) for backup in sound}
    kept = {
        sound[-1].id,
        *_newest_of_last(sound, {one: day.date() for one, day in days.items()}, keep.daily),
        *_newest_of_last(sound, {one: day.isocalendar()[:2] for one, day in days.items()}, keep.weekly),
        *_newest_of_last(sound, {one: (day.year, day.month) for one, day in days.items()}, keep.monthly),
    }
    return [backup for backup in sound if backup.id not in kept]


def _newest_of_last(backups: Sequence[Backup], period: Mapping[str, Hashable], count: int) -> list[str]:
    """The newest of each of the last `count` periods that have one. `backups`: oldest first."""
    newest: dict[Hashable, str] = {}
    for backup in reversed(backups):
        newest.setdefault(period[backup.id], backup.id)
    return list(newest.values())[:count]
