"""Commands as files: touching control/.pause does what `guessbook pause` does, and the file is gone when it is recorded. Decides nothing.

What a file holds names the job or the version that it is about; an empty one means what the command means without a name.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import PRIORITY_URGENT
from guessbook.server.decide import jobs, queue
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Rejection
from guessbook.server.folder_watch import FolderWatch
from guessbook.server.live_book import LiveBook
from guessbook.server.safety import Safety
from guessbook.store import dropped_file
from guessbook.store.config import PRIORITIES
from guessbook.store.dropped_file import State, Unfit
from guessbook.store.home import Home

ANSWER = "last_answer.txt"
SETTLED_S = 0.1  # between a file's making and its writing
CONTENT_BYTES = 1000
RETRY_S = 60.0

_log = logging.getLogger(__name__)


def _set_priority(book: Book, text: str) -> Decision:
    """ "JOB high", "JOB" (then urgent), "high" (then the job that is next), or nothing (then that becomes urgent)."""
    words = text.split()
    wanted = PRIORITIES.get(words.pop(), None) if words and words[-1] in PRIORITIES else PRIORITY_URGENT
    return queue.set_priority(book, " ".join(words), wanted or PRIORITY_URGENT)


COMMANDS: dict[str, Callable[[Book, str], Decision]] = {
    ".pause": jobs.pause,
    ".resume": jobs.resume,
    ".stop": jobs.stop,
    ".skip": jobs.skip,
    ".snapshot": jobs.snapshot,
    ".priority": _set_priority,
}
CONSOLIDATE = ".consolidate"


class ControlFiles:
    def __init__(self, live: LiveBook, home: Home, safety: Safety) -> None:
        self._live = live
        self._folder = home.control
        self._safety = safety
        self._obeyed: dict[Path, State] = {}  # files whose command is recorded and that could not be removed yet

    def start(self) -> None:
        self._watch = FolderWatch([self._folder], lambda name: name in COMMANDS or name == CONSOLIDATE, SETTLED_S)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """A command whose file is still there is carried out by the next start: also one that was recorded just before its file could go."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._watch.close()

    async def _run(self) -> None:
        while True:
            try:
                paths = await self._watch.settled()
            except OSError:
                _log.exception("%s could not be looked at, and is again in %g s", self._folder, RETRY_S)
                await asyncio.sleep(RETRY_S)
                continue
            for path in paths:
                self._watch.put_off(path, RETRY_S)
                try:
                    await self._obey(path)
                except FileNotFoundError:
                    _log.info("whoever put %s there took it back", path)
                except Exception:  # noqa: BLE001  a full disk, say: what is asked of the others is done all the same
                    _log.exception("%s stays, and is tried again in %g s", path, RETRY_S)

    async def _obey(self, path: Path) -> None:
        """Raises OSError, LogError."""
        actor = f"owner:{dropped_file.owner(path)}"
        seen = dropped_file.state(path)
        if self._obeyed.get(path) != seen:  # else only its removal has failed
            answer = await self._carry_out(path, actor)
            self._obeyed[path] = seen
            _log.info("%s (%s): %s", path.name, actor, answer)
            told = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {path.name} ({actor}): {answer}\n"
            try:
                await asyncio.to_thread(self._answer, told)
            except OSError:
                _log.exception("%s could not be written", self._folder / ANSWER)
        if dropped_file.state(path) == seen:  # else it is another command already
            path.unlink()
            del self._obeyed[path]

    async def _carry_out(self, path: Path, actor: str) -> str:
        try:
            content = dropped_file.read_text(path, CONTENT_BYTES).content.strip()
            if path.name == CONSOLIDATE:
                operation = await self._safety.consolidate(actor, content, f"{self._folder.name}/{path.name}")
                return f"{operation.target} is being consolidated: guessbook audit {operation.id}"
            decision, _ = await self._live.decide(actor, lambda book: COMMANDS[path.name](book, content))
        except Unfit as error:
            return f"refused: {error}. Nothing was changed."
        except Rejection as error:
            return f"refused: {error}. {error.hint}".strip()
        return decision.message

    def _answer(self, told: str) -> None:
        beside = self._folder / f".{ANSWER}.part"
        beside.write_text(told, encoding="utf-8")
        beside.replace(self._folder / ANSWER)
