"""The History service: finds the book for the point that is asked about, and lets the views answer."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib import metadata
from typing import NoReturn

from guessbook.projections import compare, examples, insights, observations, outlook, views
from guessbook.projections.book import Book
from guessbook.projections.example_summary import CELLS_LIMIT, summarise
from guessbook.proto import history_pb2
from guessbook.proto.history_pb2_grpc import HistoryServicer
from guessbook.server.context import Context
from guessbook.server.decide.rejection import Invalid, Missing
from guessbook.server.event_pages import EventFilter, newest_first
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store.home import Home


class HistoryService(HistoryServicer):
    def __init__(self, live: LiveBook, home: Home) -> None:
        self._live = live
        self._home = home

    async def GetStatus(self, request: history_pb2.GetStatusRequest, context: Context) -> history_pb2.Status:
        status = views.status(await self._live.at(request.at))
        head = self._live.log.head
        status.head = head.position
        status.past = request.at.WhichOneof("point") is not None
        status.log_bytes = self._live.log.size_bytes()
        use = self._live.log.map_use()
        status.map_bytes, status.map_used_bytes, status.log_readers = use.map_bytes, use.used_bytes, use.readers
        status.disk_free_bytes = shutil.disk_usage(self._home.root).free
        status.server_version = metadata.version("guessbook")
        status.home = str(self._home.root)
        status.chain_hash = head.chain_hash.hex()
        status.log_id = self._live.log.log_id
        status.now_us = now_us()
        status.subscribers = self._live.metrics.subscribers
        return status

    async def ListJobs(self, request: history_pb2.ListJobsRequest, context: Context) -> history_pb2.ListJobsResponse:
        book = await self._live.at(request.at)
        return history_pb2.ListJobsResponse(jobs=views.jobs(book, request.states), position=book.position)

    async def ExplainQueue(
        self, request: history_pb2.ExplainQueueRequest, context: Context
    ) -> history_pb2.ExplainQueueResponse:
        book = await self._live.at(request.at)
        # What is asked of the past is reckoned from there.
        asked_us = book.recorded_at_us if request.at.WhichOneof("point") else now_us()
        return outlook.explain(book, asked_us)

    async def ListRuns(self, request: history_pb2.ListRunsRequest, context: Context) -> history_pb2.ListRunsResponse:
        book = await self._live.at(request.at)
        return history_pb2.ListRunsResponse(runs=views.runs(book), position=book.position)

    async def GetRun(self, request: history_pb2.GetRunRequest, context: Context) -> history_pb2.Run:
        book = await self._live.at(request.at)
        return views.run(book, _run_name(book, request.run)) or _no_run(request.run)

    async def ListSteps(self, request: history_pb2.ListStepsRequest, context: Context) -> history_pb2.Steps:
        book = await self._live.at(request.at)
        steps = views.steps(book, _run_name(book, request.run), request.after_step, request.max_points)
        return steps or _no_run(request.run)

    async def ListExamples(
        self, request: history_pb2.ListExamplesRequest, context: Context
    ) -> history_pb2.ListExamplesResponse:
        book = await self._live.at(request.at)
        request.run = _run_name(book, request.run)
        return examples.page(book, request) or _no_run(request.run)

    async def GetTrajectory(
        self, request: history_pb2.GetTrajectoryRequest, context: Context
    ) -> history_pb2.Trajectory:
        book = await self._live.at(request.at)
        run = _run_name(book, request.run)
        if run not in book.runs.by_id:
            _no_run(request.run)
        trajectory = examples.trajectory(book, run, request.example)
        if trajectory is None:
            raise Missing(f"run {run} has no example {request.example}", f"`guessbook examples {run}` lists them.")
        return trajectory

    async def ReadObservations(
        self, request: history_pb2.ReadObservationsRequest, context: Context
    ) -> AsyncIterator[history_pb2.Observations]:
        # A fork stays as it is while the live book goes on.
        book = (await self._live.at(request.filter.at)).fork()
        request.filter.run = _run_name(book, request.filter.run)
        for part in observations.observations(book, request) or _no_run(request.filter.run):
            yield part

    async def Compare(self, request: history_pb2.CompareRequest, context: Context) -> history_pb2.CompareResponse:
        return compare.compare(await self._live.at(request.at), request)

    async def ListInsights(
        self, request: history_pb2.ListInsightsRequest, context: Context
    ) -> history_pb2.ListInsightsResponse:
        # All texts are compared, which takes its time: on a fork, beside the loop.
        book = (await self._live.at(request.at)).fork()
        run = _run_name(book, request.run)
        if run not in book.runs.by_id:
            _no_run(request.run)
        found = await asyncio.to_thread(insights.insights, book, run)
        return history_pb2.ListInsightsResponse(insights=found, position=book.position)

    async def SummariseExamples(
        self, request: history_pb2.SummariseExamplesRequest, context: Context
    ) -> history_pb2.SummariseExamplesResponse:
        if request.cells > CELLS_LIMIT:
            raise Invalid(f"a data map of {request.cells:,} cells along each axis", f"Ask for at most {CELLS_LIMIT}.")
        book = await self._live.at(request.filter.at)
        request.filter.run = _run_name(book, request.filter.run)
        return summarise(book, request) or _no_run(request.filter.run)

    async def ListEvents(
        self, request: history_pb2.ListEventsRequest, context: Context
    ) -> history_pb2.ListEventsResponse:
        wanted = EventFilter.named(request.types, request.subjects, request.actor)
        point = await self._live.position(request.at)
        before = min(request.before or point + 1, point + 1)
        page = await asyncio.to_thread(newest_first, self._live.log, wanted, before, request.limit)
        return history_pb2.ListEventsResponse(events=page.events, next=page.next, position=point)

    async def ListVersions(
        self, request: history_pb2.ListVersionsRequest, context: Context
    ) -> history_pb2.ListVersionsResponse:
        book = await self._live.at(request.at)
        return history_pb2.ListVersionsResponse(versions=views.versions(book, request.deleted), position=book.position)


def _run_name(book: Book, name: str) -> str:
    return views.latest_run(book) if name in ("", "latest") else name


def _no_run(name: str) -> NoReturn:
    if name in ("", "latest"):
        raise Missing("there is no run yet", "Submit a dataset with `guessbook submit FILE`.")
    raise Missing(f"there is no run {name}", "`guessbook runs` lists them.")
