"""What the page asks and asks for, over grpc.aio. Knows the wire, no component. Every method raises a `GuessbookError`."""

from collections.abc import AsyncIterator, Callable

import grpc

from guessbook.clients.connection import CHANNEL_OPTIONS, translated
from guessbook.clients.dashboard.view import View, at
from guessbook.proto.control_pb2 import CommandResponse, JobCommand
from guessbook.proto.control_pb2_grpc import ControlStub
from guessbook.proto.history_pb2 import (
    GetRunRequest,
    GetStatusRequest,
    GetTrajectoryRequest,
    ListExamplesRequest,
    ListExamplesResponse,
    ListJobsRequest,
    ListJobsResponse,
    ListStepsRequest,
    Run,
    Status,
    Steps,
    Trajectory,
)
from guessbook.proto.history_pb2_grpc import HistoryStub
from guessbook.proto.log_pb2 import HeadRequest, HeadResponse, ReadRequest, ReadResponse
from guessbook.proto.log_pb2_grpc import LogStub

DEADLINE_S = 15.0
CLOSE_GRACE_S = 1.0  # for the answers that are under way


class Queries:
    """A connection to the server for all tabs. To be made and used inside one running event loop.

    `address` is asked again by `redial()`: a restarted server may be somewhere else.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self._resolve = address
        self._dial(address())

    def _dial(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._log = LogStub(self._channel)
        self._control = ControlStub(self._channel)
        self._history = HistoryStub(self._channel)

    async def redial(self) -> None:
        """Follows the server to where it is now; the same address keeps its channel."""
        address = self._resolve()
        if address != self.address:
            await self._channel.close(CLOSE_GRACE_S)
            self._dial(address)

    async def close(self) -> None:
        await self._channel.close(CLOSE_GRACE_S)

    # ---- questions; `position` is the point in the log they are asked of, None: now ----

    async def status(self, position: int | None) -> Status:
        with translated(self.address):
            return await self._history.GetStatus(GetStatusRequest(at=at(position)), timeout=DEADLINE_S)

    async def jobs(self, position: int | None) -> ListJobsResponse:
        with translated(self.address):
            return await self._history.ListJobs(ListJobsRequest(at=at(position)), timeout=DEADLINE_S)

    async def run(self, run: str, position: int | None) -> Run:
        with translated(self.address):
            return await self._history.GetRun(GetRunRequest(run=run, at=at(position)), timeout=DEADLINE_S)

    async def steps(self, run: str, position: int | None, max_points: int) -> Steps:
        request = ListStepsRequest(run=run, at=at(position), max_points=max_points)
        with translated(self.address):
            return await self._history.ListSteps(request, timeout=DEADLINE_S)

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        """A part of the list as `view` filters and sorts it."""
        request = ListExamplesRequest(
            run=run,
            at=at(view.at),
            states=() if view.state is None else (view.state,),
            search=view.q,
            sort=view.sort,
            offset=offset,
            limit=limit,
        )
        with translated(self.address):
            return await self._history.ListExamples(request, timeout=DEADLINE_S)

    async def trajectory(self, run: str, index: int, position: int | None) -> Trajectory:
        request = GetTrajectoryRequest(run=run, example=f"#{index}", at=at(position))
        with translated(self.address):
            return await self._history.GetTrajectory(request, timeout=DEADLINE_S)

    # ---- commands ----

    async def command(self, name: str, job: str) -> CommandResponse:
        """`name` is pause, resume, stop or snapshot."""
        method = {
            "pause": self._control.PauseJob,
            "resume": self._control.ResumeJob,
            "stop": self._control.StopJob,
            "snapshot": self._control.TakeSnapshot,
        }[name]
        with translated(self.address):
            return await method(JobCommand(job=job), timeout=DEADLINE_S)

    # ---- the log ----

    async def head(self) -> HeadResponse:
        with translated(self.address):
            return await self._log.Head(HeadRequest(), timeout=DEADLINE_S)

    async def subscribe(self, from_position: int) -> AsyncIterator[ReadResponse]:
        """Endless; raises `Unreachable` when the server goes."""
        with translated(self.address):
            async for response in self._log.Subscribe(ReadRequest(from_position=from_position)):
                yield response
