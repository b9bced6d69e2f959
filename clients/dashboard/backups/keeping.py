"""Which backups the rules keep for their day, week or month, as of now. Pure; what is removed is decided by the server when it prunes."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date

from guessbook.clients.dashboard.clock import Clock
from guessbook.proto.safety_pb2 import Backup
from guessbook.store.config import Keep

_PERIODS: dict[str, Callable[[date], Hashable]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}


def kept_as(backups: Iterable[Backup], keep: Keep, clock: Clock) -> Mapping[tuple[str, str], list[str]]:
    """By (id, place): of "daily", "weekly" and "monthly" those that a backup is kept as.

    At each place the newest sound one of each of the last so many days, ISO weeks and months that have one.
    """
    by_place: dict[str, list[Backup]] = defaultdict(list)
    for backup in backups:
        if backup.sound and not backup.pruned_at_us:
            by_place[backup.place].append(backup)
    kept: dict[tuple[str, str], list[str]] = defaultdict(list)
    for there in by_place.values():
        there.sort(key=lambda backup: backup.created_at_us, reverse=True)
        for name, period in _PERIODS.items():
            newest: dict[Hashable, Backup] = {}
            for backup in there:
                newest.setdefault(period(clock.day(backup.created_at_us)), backup)
            for backup in list(newest.values())[: getattr(keep, name)]:
                kept[backup.id, backup.place].append(name)
    return kept
