"""Folds what was committed into the live book, behind the writer and without keeping it waiting. Knows the folds and the log, no gRPC.

An ack needs durability, not the fold, and a burst of events comes faster than Python folds them. So the fold follows: in slices, between which the loop
serves calls, and behind producers that wait for acks, as long as it isn't far behind. Whoever needs the newest state waits until the book has
reached it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event
from guessbook.server.past_books import PastBooks
from guessbook.server.saved_books import SavedBooks
from guessbook.store.log import Log

SLICE = 256  # events folded between two turns of the loop: about a millisecond
HELD = 16_384  # committed events kept in memory for the fold; beyond, it reads them from the log
FAR_BEHIND = 250_000  # events; then producers wait for the fold
POLL_S = 1.0  # a wake-up that was lost costs this much, and never an event
TURN_S = 0.001  # how long the fold leaves the loop to producers that wait for acks

_log = logging.getLogger(__name__)


class Follower:
    """`book` is the fold of the log up to `book.position`, `committed` the log's last position. To be used on one event loop.

    `busy` tells whether producers wait for acks; `on_fold` is called with each slice of events after it was folded, `on_failure` if the fold can't
    go on.
    """

    def __init__(
        self,
        log: Log,
        saved: SavedBooks,
        busy: Callable[[], bool],
        on_fold: Callable[[Sequence[Event]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._log = log
        self._saved = saved
        self._busy = busy
        self._on_fold = on_fold
        self.kept = PastBooks()
        self.book = self._fold_log()
        self.committed = self.book.position
        self._held: deque[Event] = deque()
        self._moved = asyncio.Event()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._on_failure = on_failure
        self._task.add_done_callback(self._ended)
        self._saving: asyncio.Task[None] | None = None

    def put(self, events: Sequence[Event]) -> None:
        """Takes the events of a commit, in the order of commits."""
        self.committed = events[-1].position
        self._held.extend(events)
        if len(self._held) > HELD:
            self._held.clear()
        self._wake.set()

    async def reached(self, position: int) -> None:
        """Waits until the book is at a position or behind it. The position must be in the log."""
        while self.book.position < position:
            await self.moved(POLL_S)

    async def caught_up(self) -> Book:
        """The book with everything that is committed by now."""
        await self.reached(self.committed)
        return self.book

    async def room(self) -> None:
        """Waits while the fold is too far behind for more to be taken in."""
        if self.committed - self.book.position > FAR_BEHIND:
            await self.reached(self.committed - FAR_BEHIND // 2)

    async def moved(self, timeout: float | None = None) -> bool:
        """Waits until something was folded. False: nothing within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._task.cancel()

    def save(self) -> None:
        """Saves the books if that is worth it, when nothing is folded any more."""
        if self._saved.due_at_stop(self.book.position):
            self._saved.save([*self.kept.books, self.book])

    def _fold_log(self) -> Book:
        """The book at the head: from the nearest saved one on, or from the log's first event."""
        began, saved = time.perf_counter(), self._saved.load()
        self.kept.restore(saved)
        book = saved[-1].fork() if saved else Book()
        begin = book.position
        for event in self._log.read_all(begin + 1):
            book = book_fold.apply(book, event)
            self.kept.pass_by(book)
            if book.position == self._saved.wanted_cut:
                self._saved.save_cut(book.fork())
        took = time.perf_counter() - began
        _log.info(
            "the book is at position %d; %d events were folded in %.2f s", book.position, book.position - begin, took
        )
        return book

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            _log.critical("the fold can't go on; the server stops, and the log is safe", exc_info=error)
            self._on_failure(error)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.book.position < self.committed:
                for events in await self._next():
                    self._fold(events)
                    await asyncio.sleep(0)
                    self._save_if_due()
                    while self._busy() and self.committed - self.book.position < FAR_BEHIND // 2:
                        await asyncio.sleep(TURN_S)

    def _save_if_due(self) -> None:
        if self._saved.due(self.book.position) and (self._saving is None or self._saving.done()):
            books = [*self.kept.books, self.book.fork()]
            self._saving = asyncio.create_task(asyncio.to_thread(self._saved.save, books))

    async def _next(self) -> list[list[Event]]:
        """The next slices to fold: from memory if they are there, else from the log."""
        held = self._held
        while held and held[0].position <= self.book.position:
            held.popleft()
        if held and held[0].position == self.book.position + 1:
            return [[held.popleft() for _ in range(min(SLICE, len(held)))]]
        events, _ = await asyncio.to_thread(self._log.read, self.book.position + 1)
        return [events[start : start + SLICE] for start in range(0, len(events), SLICE)]

    def _fold(self, events: Sequence[Event]) -> None:
        misplaced = self.book.misplaced_count
        for event in events:
            self.book = book_fold.apply(self.book, event)
        self.kept.pass_by(self.book)
        if self.book.misplaced_count > misplaced:
            position, reason = self.book.misplaced[-1]
            _log.warning("the event at position %d makes no sense there: %s", position, reason)
        self._on_fold(events)
        self._moved.set()
        self._moved = asyncio.Event()
