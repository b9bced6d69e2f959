"""What takes long with backups, one at a time in this dashboard: it goes on when its page is left, and what came of it stays until it is read.

Knows how to ask the server for it, no component. The log has what came of it too; this is only for who asked.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import numbers, problem, role
from guessbook.clients.errors import GuessbookError, Rejected
from guessbook.proto.safety_pb2 import BackupResponse

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """`command`: what to type next."""

    ok: bool
    text: str
    command: str = ""
    notes: Sequence[str] = ()


@dataclass
class Work:
    doing: str  # "Making a backup at second-disk"
    began: float = field(default_factory=time.monotonic)
    said: str = ""  # where it is, if it tells
    seconds: float = 0.0  # that it took
    outcome: Outcome | None = None

    def say(self, line: str) -> None:
        self.said = line

    @property
    def since(self) -> str:
        return numbers.duration(time.monotonic() - self.began)


class Desk:
    """Has at most one piece of work under way, for those who may steer. To be used inside one running event loop."""

    def __init__(self) -> None:
        self.work: Work | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self.work is not None and self.work.outcome is None

    def begin(self, doing: str, do: Callable[[Work], Awaitable[Outcome]]) -> None:
        """Returns at once; `do` goes on as who asks now. Raises Forbidden; Rejected while other work is under way."""
        role.require_steering()
        if self.work and self.busy:
            raise Rejected(f"{self.work.doing} is under way since {self.work.since}", "Wait until it is over.")
        self.work = Work(doing)
        self._task = asyncio.create_task(self._carry_out(self.work, do))

    def dismiss(self) -> None:
        """What came of it was read. Raises Forbidden."""
        role.require_steering()
        if not self.busy:
            self.work = None

    @staticmethod
    async def _carry_out(work: Work, do: Callable[[Work], Awaitable[Outcome]]) -> None:
        try:
            outcome = await do(work)
        except GuessbookError as error:
            outcome = Outcome(False, problem.told(error))
        except Exception:
            log.exception("%s failed", work.doing)
            outcome = Outcome(
                False, "It failed; the output of the dashboard's process says why. Earlier backups are as they were."
            )
        work.seconds = time.monotonic() - work.began
        work.outcome = outcome


async def create(book: AsyncGuessbook, place: str) -> Outcome:
    """At a place, or, if it is empty, at every one."""
    return _told(await book.create_backup(place), "Made, and read back whole")


async def verify(book: AsyncGuessbook, identity: str, place: str) -> Outcome:
    return _told(await book.verify_backup(identity, place), "Read back whole")


async def drill(book: AsyncGuessbook, identity: str, place: str) -> Outcome:
    return _told(await book.drill_backup(identity, place), "Restored for the time being, and everything in it checked")


def _told(answer: BackupResponse, word: str) -> Outcome:
    whole = [backup for backup in answer.backups if backup.sound]
    parts = list(answer.problems)
    if whole:
        one = whole[0]
        facts = (
            f"the log up to position {numbers.count(one.head)}, {numbers.files(one.files)}, {numbers.size(one.bytes)}"
        )
        parts.insert(0, f"{word} at {', '.join(backup.place for backup in whole)}: {facts}.")
    if answer.problems:
        parts.append("Earlier backups are as they were. Remove the cause and do it again.")
    lacking = {name for backup in whole for name in backup.missing}
    notes = [f"not in it, since it is not whole in the data folder: {name}" for name in sorted(lacking)]
    return Outcome(not answer.problems, f"{answer.id}. {' '.join(parts)}", notes=notes)
