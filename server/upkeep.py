"""Does by the clock what keeps the book safe: daily backups, pruning, drills, emptying the trash after its term, and tidying up after what was killed.

What is due is decided elsewhere.
"""

import asyncio
import logging
from pathlib import Path

from guessbook.proto.safety_pb2 import OperationRequest
from guessbook.server.backups import Backups
from guessbook.server.decide import upkeep
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.operations import Circumstances
from guessbook.server.decide.retention import prunable
from guessbook.server.guarded import Guarded
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store import config as config_file
from guessbook.store import leftovers
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home

FIRST_LOOK_S = 300.0  # after a start there are more urgent things
LOOK_S = 60.0
DAY_US = 24 * 3600 * 1_000_000
ACTOR = "server"

_log = logging.getLogger(__name__)


class Upkeep:
    def __init__(self, live: LiveBook, home: Home, backups: Backups, artifacts: Artifacts, guarded: Guarded) -> None:
        self._live = live
        self._home = home
        self._backups = backups
        self._artifacts = artifacts
        self._guarded = guarded
        self._tidied = False
        # place -> not before: what could not be done there is not tried each minute
        self._drill_from_us: dict[str, int] = {}
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
        if not self._tidied:
            await self._tidy(now)
            self._tidied = True
        if due := upkeep.backups_due(self._live.book, config.backup, now):
            await self._back_up(due)
            await self._tidy(now)
            await self._prune(config, now)
        await self._drill(config, now)
        await self._live.decide(ACTOR, lambda book: Decision("", "", upkeep.purges(book, now)))
        for file in list(upkeep.garbage(self._live.book)):
            await asyncio.to_thread(self._artifacts.remove, file.sha256)

    async def _back_up(self, due: list[str]) -> None:
        """One backup at all places; what has to be tried again is one of its own."""
        everywhere = len(due) == len(self._backups.places())
        for place in [""] if everywhere else due:
            # One rotten file must not be the end of all backups. Before a guarded operation it is.
            await self._backups.create(ACTOR, upkeep.DAILY, place, skip_missing=True)

    async def _drill(self, config: config_file.Config, now: int) -> None:
        waiting = [place for place, from_us in self._drill_from_us.items() if now < from_us]
        if chosen := upkeep.drill_due(self._live.book, config.backup, now, waiting):
            answer = await self._backups.drill(ACTOR, chosen.id, chosen.place)
            self._drill_from_us[chosen.place] = now + DAY_US if answer.problems else 0

    async def _tidy(self, now: int) -> None:
        await self._backups.adopt(ACTOR)
        for path in await asyncio.to_thread(lambda: list(leftovers.abandoned(self._home, now / 1e6))):
            await asyncio.to_thread(self._remove, path)

    def _remove(self, path: Path) -> None:
        try:
            leftovers.remove(path)
        except OSError as error:
            _log.warning("%s, which a killed process left, can't be removed: %s", path, error)
        else:
            _log.info("removed %s, which a killed process left", path)

    async def _prune(self, config: config_file.Config, now: int) -> None:
        """As if it were asked for: with a backup before it, and each stage in the log."""
        places = [place.name for place in self._backups.places()]
        chosen = prunable(self._live.book, config.backup.keep, config.backup.zone, places)
        if chosen and upkeep.prune_due(self._live.book, config.backup, now):
            asked = OperationRequest(kind=upkeep.PRUNE, reason="the rules of keeping let them go")
            await self._guarded.request(ACTOR, asked, Circumstances(now, config.trash_days, chosen))

    async def _watch(self) -> None:
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                await self.look(now_us())
            except Exception:  # noqa: BLE001  whatever it is, the next look may succeed; without looks there is no backup
                _log.exception("upkeep could not be done, and is tried again in a minute")
            await asyncio.sleep(LOOK_S)
