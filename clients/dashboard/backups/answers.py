"""What the page asks the server, all at once: the backups and their places, what went wrong, the settings. Knows no component."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import at
from guessbook.clients.errors import Forbidden
from guessbook.proto.events_pb2 import Event
from guessbook.proto.safety_pb2 import Backup, Config, ListBackupsResponse
from guessbook.store import config as config_file

HISTORY = 20  # drills and failures that are shown


@dataclass(frozen=True)
class Answers:
    """`config` is as it is now also on a page about the past; None: who asks may not see it."""

    known: ListBackupsResponse
    history: Sequence[Event]  # drills and failures, newest first
    more_history: bool  # there are older ones
    config: config_file.Config | None
    clock: Clock
    past: bool

    def of_place(self, place: str) -> list[Backup]:
        """Those that are there, newest first."""
        return [backup for backup in self.known.backups if backup.place == place and not backup.pruned_at_us]


async def ask(queries: Queries, position: int | None, browser_zone: str) -> Answers:
    """Raises `GuessbookError`."""
    known, (history, more), config, now_us = await asyncio.gather(
        queries.book.backups(at(position), pruned=True),
        _history(queries, position),
        settings(queries),
        _now_us(queries, position),
    )
    parsed = config_file.parse(config.yaml) if config else None
    clock = Clock.of(parsed.backup.timezone if parsed else "", browser_zone, now_us)
    return Answers(known, history, more, parsed, clock, position is not None)


async def settings(queries: Queries) -> Config | None:
    """config.yaml; None where who asks may not see it."""
    try:
        return await queries.book.config()
    except Forbidden:
        return None


async def _history(queries: Queries, position: int | None) -> tuple[list[Event], bool]:
    """The newest drills and failures, and whether there are older ones."""
    found: list[Event] = []
    before = 0
    while True:
        page = await queries.book.events(
            at(position),
            types=("DrillCompleted", "BackupFailed"),
            subjects=("backup/",),
            before=before,
            limit=HISTORY + 1,
        )
        found += page.events
        before = page.next
        if not before or len(found) > HISTORY:
            return found[:HISTORY], len(found) > HISTORY


async def _now_us(queries: Queries, position: int | None) -> int:
    """The time that the page is about."""
    if position is not None:
        newest = (await queries.book.events(at(position), limit=1)).events
        if newest:
            return newest[0].recorded_at_us
    return time.time_ns() // 1000
