"""The log, its writer and the book at the head, kept together on one event loop. Knows no gRPC.

Everything here runs on the loop but the log's reads and the writer's thread. The book at the head must be read without an `await` in between: it is
folded in place.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import At
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Missing
from guessbook.store.errors import LogFailed, WrongPosition
from guessbook.store.log import Append, Log, Receipt
from guessbook.store.producers import ProducerState
from guessbook.store.writer import Writer

TRIES = 100  # of a command that others keep overtaking
PAST_BOOKS = 4  # past points kept at hand

_log = logging.getLogger(__name__)


class LiveBook:
    """`book` is the fold of the log up to its head."""

    def __init__(self, log: Log, on_failure: Callable[[LogFailed], None]) -> None:
        self.log = log
        self._loop = asyncio.get_running_loop()
        self._moved = asyncio.Event()
        self._past: OrderedDict[int, Book] = OrderedDict()
        self.followers: list[Callable[[Sequence[Event]], None]] = []  # called after each commit was folded
        self.book = book_fold.fold(log.read_all())
        self._writer = Writer(
            log,
            lambda events: self._call(self._fold, events),
            lambda failed: self._call(on_failure, failed),
        )

    async def append(self, append: Append) -> Receipt:
        """Durable and folded when this returns. Raises the LogError that says why not."""
        return await asyncio.wrap_future(self._writer.append(append))

    def append_later(self, append: Append) -> "asyncio.Future[Receipt]":
        """The same without waiting; appends keep the order in which this is called."""
        return asyncio.wrap_future(self._writer.append(append))

    async def join(self, producer: str, epoch: int) -> ProducerState:
        return await asyncio.wrap_future(self._writer.join(producer, epoch))

    async def decide(self, actor: str, decide: Callable[[Book], Decision]) -> tuple[Decision, Receipt | None]:
        """Decides on the newest state and appends what follows, unless something came in between: then it decides again.

        Raises whatever `decide` does, and LogErrors. The receipt is None where there was nothing to append.
        """
        for _ in range(TRIES):
            decision = decide(self.book)
            if not decision.events:
                return decision, None
            try:
                receipt = await self.append(Append(decision.events, actor, expected_position=self.book.position))
            except WrongPosition as lost_race:
                await self.reached(lost_race.actual)
            else:
                return decision, receipt
        raise Invalid("the log moved on faster than this command could be decided", "Try it again.")

    async def reached(self, position: int) -> None:
        """Waits until the book is at a position or behind it. The position must be in the log."""
        while self.book.position < position:
            await self.moved()

    async def moved(self, timeout: float | None = None) -> bool:
        """Waits for the next commit. False: none within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def at(self, at: At) -> Book:
        """The book at a point: the live one, or one folded for that point that nobody changes any more. Raises Invalid, Missing."""
        position = await self._position(at)
        if position is None:
            return self.book
        past = self._past.get(position)
        if past is None:
            past = await asyncio.to_thread(lambda: book_fold.fold(self.log.read_all(to_position=position)))
            self._past[position] = past
            if len(self._past) > PAST_BOOKS:
                self._past.popitem(last=False)
        self._past.move_to_end(position)
        return past

    def close(self) -> None:
        """Commits what waits and closes the log."""
        self._writer.close()
        self.log.close()

    async def _position(self, at: At) -> int | None:
        point = at.WhichOneof("point")
        if point is None:
            return None
        if point == "run_step":
            return await asyncio.to_thread(self._end_of_step, at.run_step.run, at.run_step.step)
        if point == "time_us":
            return await asyncio.to_thread(self.log.position_at, at.time_us)
        if at.position > self.book.position:
            raise Invalid(
                f"the log ends at position {self.book.position}; there is no {at.position} yet",
                "Ask for an earlier one.",
            )
        return at.position

    def _end_of_step(self, run: str, step: int) -> int:
        """The run's last event before it went on to a later step."""
        last, reached = 0, 0
        for event in self.log.read_all(subjects=[f"run/{run}"]):
            if event.HasField("step_completed"):
                reached = event.step_completed.step
                if reached > step:
                    break
            last = event.position
        if not last:
            raise Missing(f"there is no run {run}", "`guessbook runs` lists them.")
        if reached < step:
            raise Missing(f"run {run} has not reached step {step}; it is at step {reached}", "Ask for an earlier step.")
        return last

    def _fold(self, events: Sequence[Event]) -> None:
        misplaced = self.book.misplaced_count
        for event in events:
            self.book = book_fold.apply(self.book, event)
        if self.book.misplaced_count > misplaced:
            position, reason = self.book.misplaced[-1]
            _log.warning("the event at position %d makes no sense there: %s", position, reason)
        for follow in self.followers:
            follow(events)
        self._moved.set()
        self._moved = asyncio.Event()

    def _call(self, function: Callable[..., None], argument: object) -> None:
        self._loop.call_soon_threadsafe(function, argument)


def now_us() -> int:
    return time.time_ns() // 1000
