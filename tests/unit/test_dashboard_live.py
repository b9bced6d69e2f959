"""The hub, its mailboxes, and how the subscription goes on after a break."""

import asyncio
from collections.abc import AsyncIterator

from guessbook.clients.dashboard import live
from guessbook.clients.dashboard.changes import Change
from guessbook.clients.errors import Unreachable
from guessbook.proto.events_pb2 import Event, JobCompleted
from guessbook.proto.log_pb2 import HeadResponse, ReadResponse

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
    """A server that breaks off after its first event, is away for one attempt, and then has one event more."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.attempts = 0
        self.done = asyncio.Event()

    async def redial(self) -> None:
        self.attempts += 1

    async def head(self) -> HeadResponse:
        if self.attempts == 2:
            raise Unreachable("no server answers")
        return HeadResponse(position=7 + len(self.asked))

    async def subscribe(self, from_position: int) -> AsyncIterator[ReadResponse]:
        self.asked.append(from_position)
        completed = Event(subject="job/j1", job_completed=JobCompleted())
        yield ReadResponse(events=[completed], head=from_position)
        if self.attempts == 1:
            raise Unreachable("the server went")
        self.done.set()
        await asyncio.Event().wait()


def test_after_a_break_the_subscription_goes_on_where_it_was() -> None:
    async def scenario() -> None:
        hub, server = live.Hub(), FakeQueries()
        following = asyncio.create_task(live.follow(server, hub))  # type: ignore[arg-type]
        await asyncio.wait_for(server.done.wait(), 10)
        assert server.asked == [8, 9]
        assert hub.position == 9
        assert hub.connected
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(scenario())
