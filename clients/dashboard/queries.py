"""What the page asks, as who asks. Knows the client and the view, no component. Every method raises a `GuessbookError`."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.connection import Address
from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.view import View, at, compared, insight_word, point
from guessbook.clients.errors import GuessbookError, NotFound
from guessbook.clients.example_page import example_page_async
from guessbook.clients.subscription import AsyncSubscription
from guessbook.proto.history_pb2 import (
    ListExamplesResponse,
    ListInsightsResponse,
    ListJobsResponse,
    ListRunsResponse,
    Run,
    Status,
    Steps,
    SummariseExamplesResponse,
)
from guessbook.proto.log_pb2 import HeadResponse

Kept = TypeVar("Kept")

ANSWERS = 64  # kept ones; several parts of a page, and several tabs, ask for the same


class Queries:
    """Connections to the server for all tabs, one a role. To be made and used inside one running event loop."""

    def __init__(self, address: Address, token: Callable[[str], str]) -> None:
        """`token` gives that of a role."""
        self._address, self._token = address, token
        self._books = {
            name: AsyncGuessbook(address, lambda name=name: token(name)) for name in (role.OWNER, role.GUEST)
        }
        self._answers: OrderedDict[str, asyncio.Future[Any]] = OrderedDict()

    @property
    def book(self) -> AsyncGuessbook:
        """The server, to whom it is asked as."""
        return self._books[role.asking.get()]

    def blocking_book(self) -> Guessbook:
        """A connection of its own, for a thread: to be closed by who asks for it."""
        name = role.asking.get()
        return Guessbook(self._address, lambda: self._token(name))

    async def close(self) -> None:
        for book in self._books.values():
            await book.close()

    # ---- questions; `position` is the point in the log they are asked of, None: now ----

    async def status(self, position: int | None) -> Status:
        return await self.book.status(at(position))

    async def jobs(self, position: int | None) -> ListJobsResponse:
        return await self.book.jobs(at(position))

    async def runs(self, position: int | None) -> ListRunsResponse:
        return await self.book.runs(at(position))

    async def run(self, run: str, position: int | None) -> Run:
        return await self.book.run(run, at(position))

    async def steps(self, run: str, position: int | None, max_points: int) -> Steps:
        return await self.book.steps(run, at(position), max_points=max_points)

    # ---- questions about the examples that `view` is about, as of the snapshot it shows ----

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        """A part of the list as `view` filters and sorts it."""
        asked = await self.filter(run, view)
        return await example_page_async(self.book, run, sort=view.sort, offset=offset, limit=limit, **asked)

    async def summary(
        self, run: str, view: View, position: int, *, categories: int = 20, cells: int = 0
    ) -> SummariseExamplesResponse:
        """How the examples that `view` leaves are spread, and were at the snapshot it is compared with.

        `position` is of the last event that touched them, as a topic's store tells it: up to there an answer is kept for who asks the same.
        """
        asked = await self.filter(run, view, compare=True)
        about = ("summary", run, categories, cells, sorted(asked.items(), key=lambda part: part[0]))
        book = self.book
        return await self.kept(
            about, position, lambda: book.summarise_examples(run, categories=categories, cells=cells, **asked)
        )

    async def insights(self, run: str, view: View) -> ListInsightsResponse:
        """As of the snapshot that is shown. They are kept until another one is complete: to find them takes seconds, and a list that is filtered
        by one needs them for each of its parts."""
        found = await self.run(run, view.at)
        complete = max((snapshot.position for snapshot in found.snapshots if snapshot.complete), default=0)
        book = self.book
        about = ("insights", run, view.at, view.step)
        return await self.kept(about, complete, lambda: book.insights(run, point(view, found)))

    def forget(self) -> None:
        """What was kept may be of another log."""
        self._answers.clear()

    async def kept(self, about: tuple[Any, ...], position: int, ask: Callable[[], Awaitable[Kept]]) -> Kept:
        """An answer that was given already to who asked the same in the same role at the same position, or is on its way; of many, the latest asked
        for are kept. At position 0 none is: at first a tab doesn't know where the log is."""
        if not position:
            return await ask()
        key = repr((role.asking.get(), position, about))
        found = self._answers.get(key)
        if found is None or (found.done() and (found.cancelled() or found.exception())):
            found = self._answers[key] = asyncio.ensure_future(ask())
            if len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        # Who stops waiting doesn't take the answer from the others.
        answer: Kept = await asyncio.shield(found)
        return answer

    async def filter(self, run: str, view: View, *, compare: bool = False) -> dict[str, Any]:
        """The point and the filter of `view` as the client's methods take them. `compare`: also the snapshot it is compared with, which a
        filter by change names in any case."""
        asked: dict[str, Any] = {
            "at": at(view.at),
            "states": () if view.state is None else (view.state,),
            "search": view.q,
            "category": view.category,
            "only_held_out": view.held_out,
            "box": view.box,
        }
        if compare or view.change is not None or view.step is not None:
            found = await self.run(run, view.at)
            asked["at"] = point(view, found)
            if compare or view.change is not None:
                asked["since_step"] = compared(view, [snapshot.step for snapshot in found.snapshots])
            if view.change is not None:
                asked["changes"] = (view.change,)
        if view.insight:
            asked["indices"] = await self._about(run, view)
        return asked

    async def _about(self, run: str, view: View) -> list[int]:
        """The examples an insight is about: of many, those that it lists."""
        insights = (await self.insights(run, view)).insights
        indices = [
            index for insight in insights if insight_word(insight) == view.insight for index in insight.example_index
        ]
        if not indices:
            raise NotFound(f"there is no insight {view.insight!r} here", "Take the filter by insight away.")
        return indices

    # ---- the log ----

    async def head(self) -> HeadResponse:
        """Where the log ends; of the server where it is now."""
        for book in self._books.values():
            await book.redial()
        return await self.book.head()

    def subscribe(self, from_position: int, on_lost: Callable[[GuessbookError], None]) -> AsyncSubscription:
        return self.book.subscribe(from_position, on_lost=on_lost)
