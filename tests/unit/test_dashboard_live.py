"""The hub, its mailboxes, and how the subscription goes on after a break."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from guessbook.clients.dashboard import live
from guessbook.clients.dashboard.changes import EVERYTHING, Change
from guessbook.clients.errors import GuessbookError, Rejected, Unreachable
from guessbook.clients.reading import Answer
from guessbook.proto.events_pb2 import Event, JobCompleted
from guessbook.proto.log_pb2 import HeadResponse

JOBS = frozenset(("jobs",))
STEPS = frozenset(("steps:r1",))


def test_a_slow_tab_gets_one_message_for_many() -> None:
    async def scenario() -> None:
        hub = live.Hub()
        with hub.mailbox() as mailbox:
            hub.publish(Change(1, JOBS))
            hub.publish(Change(2, STEPS, {"step": 1}))
            hub.publish(Change(3, STEPS, {"step": 2}))
            assert await mailbox.take(1) == Change(3, JOBS | STEPS, {"step": 2})
            assert await mailbox.take(0.01) is None

    asyncio.run(scenario())


def test_a_closed_tab_gets_nothing_and_is_forgotten() -> None:
    async def scenario() -> None:
        hub = live.Hub()
        with hub.mailbox():
            assert len(hub.mailboxes) == 1
        assert not hub.mailboxes

    asyncio.run(scenario())


def test_a_break_of_the_line_is_news_and_a_quiet_heartbeat_is_not() -> None:
    async def scenario() -> None:
        hub = live.Hub()
        with hub.mailbox() as mailbox:
            hub.publish(Change(5))
            await mailbox.take(1)
            hub.publish(Change(5))
            assert await mailbox.take(0.01) is None
            hub.publish(Change(5), connected=False)
            assert await mailbox.take(1) == Change(5)
            assert hub.message(Change(5))["link"] == "reconnecting"

    asyncio.run(scenario())


class FakeQueries:
    """A server that is away at first, breaks off after its first event, and has another log when it is asked again."""

    def __init__(self) -> None:
        self.heads = self.forgotten = 0
        self.asked: list[int] = []
        self.links: list[bool] = []
        self.done = asyncio.Event()
        self.hub = live.Hub()

    async def head(self) -> HeadResponse:
        self.heads += 1
        if self.heads == 1:
            raise Unreachable("no server answers")
        return HeadResponse(position=7 if self.heads == 2 else 3)

    def forget(self) -> None:
        self.forgotten += 1

    async def subscribe(self, from_position: int, on_lost: Callable[[GuessbookError], None]) -> AsyncIterator[Answer]:
        self.asked.append(from_position)
        completed = Event(subject="job/j1", job_completed=JobCompleted())
        yield Answer([completed], head=from_position, next=from_position + 1)
        if len(self.asked) == 1:
            on_lost(Unreachable("the server went"))
            self.links.append(self.hub.connected)
            yield Answer([], head=from_position, next=from_position + 1)
            self.links.append(self.hub.connected)
            raise Rejected("the server has another log now")
        self.done.set()
        await asyncio.Event().wait()


def test_a_break_is_told_to_the_tabs_and_another_log_is_shown_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RETRY_S", 0.01)

    async def scenario() -> None:
        server = FakeQueries()
        following = asyncio.create_task(live.follow(server, server.hub))  # type: ignore[arg-type]
        with server.hub.mailbox() as mailbox:
            await asyncio.wait_for(server.done.wait(), 10)
            assert server.asked == [8, 4]
            assert server.links == [False, True]
            assert server.forgotten == 2  # what was kept of the log before
            news = await mailbox.take(1)
            assert news
            assert EVERYTHING in news.touched
        assert server.hub.position == 4
        assert server.hub.connected
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())
