"""What the page asks and asks for, in the page's own terms. Knows the client and the view, no component. Every method raises a `GuessbookError`."""

from collections.abc import Callable

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.connection import Address, Token
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.errors import GuessbookError
from guessbook.clients.example_page import example_page_async
from guessbook.clients.subscription import AsyncSubscription
from guessbook.proto.control_pb2 import CommandResponse
from guessbook.proto.history_pb2 import ListExamplesResponse, ListJobsResponse, Run, Status, Steps, Trajectory
from guessbook.proto.log_pb2 import HeadResponse


class Queries:
    """A connection to the server for all tabs. To be made and used inside one running event loop."""

    def __init__(self, address: Address, token: Token | None = None) -> None:
        self._book = AsyncGuessbook(address, token)

    async def close(self) -> None:
        await self._book.close()

    # ---- questions; `position` is the point in the log they are asked of, None: now ----

    async def status(self, position: int | None) -> Status:
        return await self._book.status(at(position))

    async def jobs(self, position: int | None) -> ListJobsResponse:
        return await self._book.jobs(at(position))

    async def run(self, run: str, position: int | None) -> Run:
        return await self._book.run(run, at(position))

    async def steps(self, run: str, position: int | None, max_points: int) -> Steps:
        return await self._book.steps(run, at(position), max_points=max_points)

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        """A part of the list as `view` filters and sorts it."""
        states = () if view.state is None else (view.state,)
        return await example_page_async(
            self._book, run, at(view.at), states=states, search=view.q, sort=view.sort, offset=offset, limit=limit
        )

    async def trajectory(self, run: str, index: int, position: int | None) -> Trajectory:
        return await self._book.trajectory(run, f"#{index}", at(position))

    # ---- commands ----

    async def command(self, name: str, job: str) -> CommandResponse:
        """`name` is pause, resume, stop or snapshot."""
        book = self._book
        commands = {"pause": book.pause, "resume": book.resume, "stop": book.stop, "snapshot": book.snapshot}
        return await commands[name](job)

    # ---- the log ----

    async def head(self) -> HeadResponse:
        """Where the log ends; of the server where it is now."""
        await self._book.redial()
        return await self._book.head()

    def subscribe(self, from_position: int, on_lost: Callable[[GuessbookError], None]) -> AsyncSubscription:
        return self._book.subscribe(from_position, on_lost=on_lost)
