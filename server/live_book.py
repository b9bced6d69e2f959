"""The log, its writer and the book at the head, kept together on one event loop. Knows no gRPC.

Everything here runs on the loop but the log's reads and the writer's thread. The book at the head must be read without an `await` in between: it is
folded in place.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.projections.runs import end_of_step, summary
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import At
from guessbook.server import logs
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Missing, Refused
from guessbook.server.follower import Follower
from guessbook.server.metrics import Metrics, Sizes
from guessbook.server.saved_books import SavedBooks
from guessbook.store.errors import LogFailed, WrongPosition
from guessbook.store.home import Home
from guessbook.store.log import Append, Log, Receipt
from guessbook.store.producers import ProducerState
from guessbook.store.writer import Writer

TRIES = 100  # of a command that others keep overtaking
ASKED_BOOKS = 4  # past points that were asked for, kept at hand


class LiveBook:
    """`book` is the fold of the log up to its head."""

    def __init__(self, log: Log, on_failure: Callable[[LogFailed], None], metrics: Metrics | None = None) -> None:
        self.log = log
        self.metrics = metrics or Metrics()
        self._loop = asyncio.get_running_loop()
        self._asked: OrderedDict[int, Book] = OrderedDict()
        self.followers: list[Callable[[Sequence[Event]], None]] = []  # called with events when they are in the book
        self._unanswered = 0  # appends of producers
        self._saved = SavedBooks(log, Home(log.folder.parent).cache)
        self.fold = Follower(
            log,
            self._saved,
            self._busy,
            self._tell,
            lambda error: on_failure(LogFailed(f"the fold failed: {error!r}")),
        )
        self._writer = Writer(
            log,
            lambda events: self._call(self.fold.put, events),
            lambda failed: self._call(on_failure, failed),
            self.metrics.committed,
        )
        self.metrics.watch(self._sizes)

    @property
    def book(self) -> Book:
        """As far as it is folded by now. To be read without an `await` in between: it is folded in place."""
        return self.fold.book

    async def append(self, append: Append) -> Receipt:
        """Durable and in the book when this returns. Raises the LogError that says why not."""
        future = asyncio.wrap_future(self._writer.append(append))
        future.add_done_callback(self.metrics.appending())
        receipt = await future
        logs.changed(receipt.first_position + receipt.count - 1)
        await self.fold.reached(receipt.first_position + receipt.count - 1)
        return receipt

    async def append_soon(self, append: Append) -> "asyncio.Future[Receipt]":
        """Hands it to the writer, once there is room, in the order of these calls; the future is done when it is durable."""
        await self.fold.room()
        self._unanswered += 1
        future = asyncio.wrap_future(self._writer.append(append))
        future.add_done_callback(self._answered)
        future.add_done_callback(self.metrics.appending())
        return future

    async def join(self, producer: str, epoch: int) -> ProducerState:
        return await asyncio.wrap_future(self._writer.join(producer, epoch))

    async def save_cut(self, book: Book) -> None:
        """Saves a past book beside the archive that is about to end at its position. Raises OSError."""
        await asyncio.to_thread(self._saved.save_cut, book)

    async def drop_archived(self) -> int:
        """Takes some of the frames that were archived out of the log; how many there were. Raises LogErrors."""
        return await asyncio.wrap_future(self._writer.drop_archived())

    async def decide(self, actor: str, decide: Callable[[Book], Decision]) -> tuple[Decision, Receipt | None]:
        """Decides on the newest state and appends what follows, unless something came in between: then it decides again.

        Raises whatever `decide` does, and LogErrors. The receipt is None where there was nothing to append.
        """
        for _ in range(TRIES):
            book = await self.fold.caught_up()
            decision = decide(book)
            if not decision.events:
                return decision, None
            try:
                receipt = await self.append(Append(decision.events, actor, decided_at=book.position))
            except WrongPosition as lost_race:
                await self.fold.reached(lost_race.actual)
            else:
                return decision, receipt
        raise Refused("others kept overtaking this command", "Nothing was changed. Try it again.")

    async def at(self, at: At) -> Book:
        """The book at a point: the live one, or one folded for that point that nobody changes any more. Raises Invalid, Missing."""
        book = await self.fold.caught_up()
        position = await self._position(at)
        if position is None:
            return book
        past = self._asked.get(position)
        if past is None:
            near = self.fold.kept.before(position)
            behind = self.log.read_all(near.position + 1, to_position=position)
            past = await asyncio.to_thread(book_fold.fold, behind, near)
            self._asked[position] = past
            if len(self._asked) > ASKED_BOOKS:
                self._asked.popitem(last=False)
        self._asked.move_to_end(position)
        return past

    async def position(self, at: At) -> int:
        """Where a point is in the log; now is as far as the book is. Raises Invalid, Missing."""
        book = await self.fold.caught_up()
        position = await self._position(at)
        return book.position if position is None else position

    def close(self) -> None:
        """Commits what waits and closes the log."""
        self._writer.close()
        self.fold.close()
        self.fold.save()
        self.log.close()

    async def _position(self, at: At) -> int | None:
        point = at.WhichOneof("point")
        if point is None:
            return None
        if point == "run_step":
            return self._end_of_step(at.run_step.run, at.run_step.step)
        if point == "time_us":
            return await asyncio.to_thread(self.log.position_at, at.time_us)
        if at.position > self.book.position:
            raise Invalid(
                f"the log ends at position {self.book.position}; there is no {at.position} yet",
                "Ask for an earlier one.",
            )
        return at.position

    def _end_of_step(self, run: str, step: int) -> int:
        kept = self.book.runs.by_id.get(run)
        if kept is None:
            raise Missing(f"there is no run {run}", "`guessbook runs` lists them.")
        position = end_of_step(kept, step)
        if position is None:
            reached = summary(kept).step
            raise Missing(f"run {run} has not reached step {step}; it is at step {reached}", "Ask for an earlier step.")
        return position

    def _sizes(self) -> Sizes:
        use = self.log.map_use()
        return Sizes(
            head=self.log.head.position,
            projection=self.fold.book.position,
            queue=self._writer.waiting,
            log_bytes=self.log.size_bytes(),
            map_bytes=use.map_bytes,
            map_used_bytes=use.used_bytes,
            readers=use.readers,
        )

    def _busy(self) -> bool:
        return self._unanswered > 0

    def _answered(self, future: "asyncio.Future[Receipt]") -> None:
        self._unanswered -= 1

    def _tell(self, events: Sequence[Event]) -> None:
        for follow in self.followers:
            follow(events)

    def _call(self, function: Callable[..., None], argument: object) -> None:
        self._loop.call_soon_threadsafe(function, argument)


def now_us() -> int:
    return time.time_ns() // 1000
