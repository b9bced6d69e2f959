"""Does by the clock what keeps the book safe: daily backups, drills, and emptying the trash after its term. What is due is decided elsewhere."""

import asyncio
import logging

from guessbook.server.backups import Backups
from guessbook.server.decide import upkeep
from guessbook.server.decide.jobs import Decision
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store import config as config_file
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home

FIRST_LOOK_S = 300.0  # after a start there are more urgent things
LOOK_S = 60.0
ACTOR = "server"

_log = logging.getLogger(__name__)


class Upkeep:
    def __init__(self, live: LiveBook, home: Home, backups: Backups, artifacts: Artifacts) -> None:
        self._live = live
        self._home = home
        self._backups = backups
        self._artifacts = artifacts
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Looks from time to time until `close`."""
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Leaves what is under way; a backup that is cut off is none."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self, now: int) -> None:
        """Does all that is due at a time (microseconds since 1970)."""
        config, _ = await asyncio.to_thread(config_file.read, self._home.config)
        if upkeep.backup_due(self._live.book, config.backup, now):
            await self._backups.create(ACTOR, upkeep.DAILY)
        if chosen := upkeep.drill_due(self._live.book, config.backup, now):
            await self._backups.drill(ACTOR, chosen.id, chosen.place)
        await self._live.decide(ACTOR, lambda book: Decision("", "", upkeep.purges(book, now)))
        for file in list(upkeep.garbage(self._live.book)):
            await asyncio.to_thread(self._artifacts.remove, file.sha256)

    async def _watch(self) -> None:
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                await self.look(now_us())
            except Exception:  # noqa: BLE001  whatever it is, the next look may succeed; without looks there is no backup
                _log.exception("upkeep could not be done, and is tried again in a minute")
            await asyncio.sleep(LOOK_S)
