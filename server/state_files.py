"""Keeps control/queue.json and control/current_state.json as things are, for scripts. Each is replaced as a whole: nobody reads half of one."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from guessbook.projections import present
from guessbook.proto.events_pb2 import Event
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store.home import Home

PAUSE_S = 0.5  # between two writings
SHARE = 0.05  # of the time that making them may take
RETRY_S = 60.0

_log = logging.getLogger(__name__)


class StateFiles:
    def __init__(self, live: LiveBook, home: Home) -> None:
        self._live = live
        self._folder = home.control
        self._changed = asyncio.Event()

    def start(self) -> None:
        self._changed.set()
        self._task = asyncio.create_task(self._run())

    def follow(self, events: Sequence[Event]) -> None:
        self._changed.set()

    async def close(self) -> None:
        """Leaves them as things are at the end, and saying that no server runs."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._write(server_running=False)
        except Exception:  # noqa: BLE001  the server ends all the same
            _log.exception("the files in %s don't say that the server has stopped", self._folder)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            began = time.perf_counter()
            try:
                await self._write(server_running=True)
            except Exception:  # noqa: BLE001  a full disk, say: the files are behind, and nothing else may be
                _log.exception("%s is not as things are; it is tried again in %g s", self._folder, RETRY_S)
                self._changed.set()
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(max(PAUSE_S, (time.perf_counter() - began) / SHARE))

    async def _write(self, *, server_running: bool) -> None:
        now = now_us()
        state = present.current_state(self._live.book, now)
        state |= {"server_running": server_running, "written_at": present.iso(now)}
        files = {"queue.json": present.queue_part(state), "current_state.json": state}
        await asyncio.to_thread(self._replace, files)

    def _replace(self, files: dict[str, present.Shown]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, shown in files.items():
            beside: Path = self._folder / f".{name}.part"
            beside.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            beside.replace(self._folder / name)
