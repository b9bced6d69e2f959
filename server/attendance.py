"""Which trainers are here. One is as long as its Append stream is open; if it stays away for the grace time, its job is interrupted."""

import asyncio
import logging
from collections import Counter

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import TrainerConnected
from guessbook.server.decide import trainers
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Refused
from guessbook.server.live_book import LiveBook
from guessbook.store.errors import LogError

Process = tuple[str, int]  # of a trainer: its name and epoch
ACTOR = "server"
RETRY_S = 5.0  # where the log can't take it that a trainer is lost: a full disk, say
# A trainer that is stopped, swapped out or cut off keeps its connection and says nothing. Its gRPC threads answer also while a step holds the
# interpreter, so silence never means work. 10 s, and as long again for the answer: a machine may stall that long, and a wrong word costs the steps
# since the last checkpoint, while being late costs idle seconds only.
HEARTBEAT_S = 10.0

_log = logging.getLogger(__name__)


def keepalive(heartbeat_s: float) -> list[tuple[str, int]]:
    """gRPC's options: a connection that was silent for so long is asked, and cut if it doesn't answer within as long again."""
    milliseconds = round(heartbeat_s * 1000)
    return [
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        ("grpc.http2.ping_timeout_ms", milliseconds),  # gRPC 1.85 goes by this one; by default it is a minute
        ("grpc.http2.max_pings_without_data", 0),  # a stream that waits has no data to send, and is asked all the same
    ]


class Attendance:
    """`grace_s` is how long a stream may be away; `start_grace_s` how long after a server start, when every trainer has to find it again."""

    def __init__(self, live: LiveBook, grace_s: float, start_grace_s: float) -> None:
        self._live = live
        self._grace_s = grace_s
        self._start_grace_s = start_grace_s
        self._streams: Counter[Process] = Counter()
        self._infos: dict[Process, TrainerConnected] = {}
        self._timers: dict[Process, asyncio.Task[None]] = {}

    def watch_absent(self) -> None:
        """Called once when the server starts: those that the log believes at work must show up."""
        for name, epoch in trainers.absent(self._live.book, [name for name, _ in self._streams]):
            self._expect(name, epoch, self._start_grace_s, "it did not come back after the server was started")

    async def arrived(self, trainer: str, info: TrainerConnected) -> None:
        self._streams[trainer, info.epoch] += 1
        self._infos[trainer, info.epoch] = info

        def decide(book: Book) -> Decision:
            return Decision("", "", trainers.connected(book, trainer, info))

        await self._live.decide(ACTOR, decide)

    def left(self, trainer: str, epoch: int) -> None:
        self._streams[trainer, epoch] -= 1
        self._expect(trainer, epoch, self._grace_s, "its stream ended")

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _expect(self, trainer: str, epoch: int, grace_s: float, reason: str) -> None:
        process = trainer, epoch
        if older := self._timers.get(process):
            older.cancel()  # it counts from when its stream was away before
        timer = self._timers[process] = asyncio.create_task(self._settle_after(process, grace_s, reason))
        timer.add_done_callback(lambda ended: self._ended(process, ended))

    def _ended(self, process: Process, timer: "asyncio.Task[None]") -> None:
        if self._timers.get(process) is timer:
            del self._timers[process]

    async def _settle_after(self, process: Process, grace_s: float, reason: str) -> None:
        """Records that it is lost if its stream isn't back. Where that comes back during the commit, that it is here again."""
        trainer, epoch = process
        here = False

        def decide(book: Book) -> Decision:
            nonlocal here
            here = self._streams[process] > 0
            if not here:
                return Decision("", "", trainers.lost(book, trainer, epoch, reason))
            known = book.jobs.trainers.get(trainer)
            newest = known is not None and known.epoch == epoch
            return Decision("", "", trainers.connected(book, trainer, self._infos[process]) if newest else [])

        await asyncio.sleep(grace_s)
        while True:
            try:
                decision, _ = await self._live.decide(ACTOR, decide)
            except (LogError, Refused) as error:
                _log.error(
                    "whether trainer %s is here can't be recorded; tried again in %g s: %s", trainer, RETRY_S, error
                )
                await asyncio.sleep(RETRY_S)
                continue
            if decision.events and not here:
                _log.warning("trainer %s is lost: %s", trainer, reason)
            if here == (self._streams[process] > 0):
                return
