"""What the page asks and asks for, as who asks. Knows the client and the view, no component. Every method raises a `GuessbookError`."""

from collections.abc import Callable

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.connection import Address
from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.errors import GuessbookError
from guessbook.clients.example_page import example_page_async
from guessbook.clients.subscription import AsyncSubscription
from guessbook.proto.control_pb2 import CommandResponse
from guessbook.proto.history_pb2 import ListExamplesResponse, ListJobsResponse, Run, Status, Steps, Trajectory
from guessbook.proto.log_pb2 import HeadResponse


class Queries:
    """Connections to the server for all tabs, one a role. To be made and used inside one running event loop."""

    def __init__(self, address: Address, token: Callable[[str], str]) -> None:
        """`token` gives that of a role."""
        self._books = {
            name: AsyncGuessbook(address, lambda name=name: token(name)) for name in (role.OWNER, role.GUEST)
        }

    @property
    def book(self) -> AsyncGuessbook:
        """The server, to whom it is asked as."""
        return self._books[role.asking.get()]

    async def close(self) -> None:
        for book in self._books.values():
            await book.close()

    # ---- questions; `position` is the point in the log they are asked of, None: now ----

    async def status(self, position: int | None) -> Status:
        return await self.book.status(at(position))

    async def jobs(self, position: int | None) -> ListJobsResponse:
        return await self.book.jobs(at(position))

    async def run(self, run: str, position: int | None) -> Run:
        return await self.book.run(run, at(position))

    async def steps(self, run: str, position: int | None, max_points: int) -> Steps:
        return await self.book.steps(run, at(position), max_points=max_points)

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        """A part of the list as `view` filters and sorts it."""
        states = () if view.state is None else (view.state,)
        return await example_page_async(
            self.book, run, at(view.at), states=states, search=view.q, sort=view.sort, offset=offset, limit=limit
        )

    async def trajectory(self, run: str, index: int, position: int | None) -> Trajectory:
        return await self.book.trajectory(run, f"#{index}", at(position))

    # ---- commands ----

    async def command(self, name: str, job: str) -> CommandResponse:
        """`name` is pause, resume, stop, skip, cancel or snapshot."""
        book = self.book
        commands = {"pause": book.pause, "resume": book.resume, "stop": book.stop, "snapshot": book.snapshot}
        return await commands[name](job)

    # ---- the log ----

    async def head(self) -> HeadResponse:
        """Where the log ends; of the server where it is now."""
        for book in self._books.values():
            await book.redial()
        return await self.book.head()

    def subscribe(self, from_position: int, on_lost: Callable[[GuessbookError], None]) -> AsyncSubscription:
        return self.book.subscribe(from_position, on_lost=on_lost)
