"""What the page Audit says: its address, what an operation changed, an event in words, and how a walk over the log ends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dash.development.base_component import Component
from fastapi import FastAPI
from starlette.types import Message

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.audit import details, proof, verification
from guessbook.clients.dashboard.audit.asked import Asked, changed
from guessbook.clients.dashboard.audit.difference import difference
from guessbook.clients.dashboard.audit.verification import Verification
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import Forbidden, Invalid, Unreachable
from guessbook.proto import events_pb2 as e
from guessbook.proto.log_pb2 import ProveResponse, VerifyResponse


@pytest.fixture
def owner() -> Iterator[None]:
    asking = role.asking.set(role.OWNER)
    yield
    role.asking.reset(asking)


def words(component: Component | Any) -> str:
    """All text in a component."""
    if isinstance(component, Component):
        return words(getattr(component, "children", ""))
    if isinstance(component, list | tuple):
        return " ".join(words(part) for part in component)
    return str(component or "")


def test_what_the_address_says_in_a_way_nobody_understands_is_left_out() -> None:
    assert Asked.parse("?before=x&event=-3&type=,,&kind=") == Asked()
    assert Asked.parse(None) == Asked()
    assert Asked.parse("?event=" + "9" * 30) == Asked()


def test_a_link_changes_a_part_of_the_address_and_keeps_the_rest() -> None:
    _, _, search = changed("?run=r1&at=7&before=4", subject="job/a&b", before=None, event=3).partition("?")
    assert Asked.parse(search) == Asked(subject="job/a&b", event=3)
    assert "run=r1" in search
    assert "at=7" in search
    assert changed("?event=3", event=None) == "/audit"


def test_a_difference_names_each_key_and_says_what_changed_first() -> None:
    before = '{"latest": "v1", "backup": {"keep": 7, "at": "03:00"}, "files": 2}'
    after = '{"latest": "v0", "backup": {"keep": 7, "at": "04:00"}, "purge": true}'
    assert [(row.key, row.before, row.after, row.how) for row in difference(before, after)] == [
        ("latest", "v1", "v0", "changed"),
        ("backup.at", "03:00", "04:00", "changed"),
        ("files", "2", "", "removed"),
        ("purge", "", "yes", "added"),
        ("backup.keep", "7", "7", "same"),
    ]


@pytest.mark.parametrize("text", ["", "{}", "null", "no JSON", "[1, 2]", '{"a": {}}', '{"a": null}'])
def test_a_difference_of_anything_with_itself_is_none(text: str) -> None:
    assert all(row.how == "same" for row in difference(text, text))


def test_an_event_is_told_in_words() -> None:
    body = e.BackupCreated(place="local", kind="daily", head=4, chain_hash=b"\x01\xff")
    said = details.said(body)
    assert said["chain hash"] == "01ff"
    assert said["head"] == "4"
    assert details.said(e.ExamplesObserved(measures=bytes(1234)))["measures"] == "1,234 bytes"
    queued = details.said(e.JobQueued(name="a\x1bb", priority=e.PRIORITY_HIGH, config=e.TrainingConfig(lora_r=8)))
    assert queued["priority"] == "high"
    assert queued["config"] == {"lora r": "8"}
    assert "\x1b" not in words(details.value(queued))


def test_what_is_long_is_cut_and_says_so() -> None:
    assert "4,000 of 200,000 characters" in words(details.value("x" * 200_000))
    assert "60 of 1,000" in words(details.value([str(number) for number in range(1000)]))


async def _answers(*answers: VerifyResponse, error: Exception | None = None) -> AsyncIterator[VerifyResponse]:
    for answer in answers:
        yield answer
    if error:
        raise error


async def _ended(walk: Verification) -> str:
    while walk.running:
        await asyncio.sleep(0)
    return words(verification.view(walk))


@pytest.mark.usefixtures("owner")
def test_a_walk_ends_with_its_verdict() -> None:
    async def scenario() -> None:
        walk = Verification()
        assert "Reads every event" in words(verification.view(walk))
        walk.start(_answers(VerifyResponse(position=5, head=9), VerifyResponse(head=9, done=True, ok=True)))
        assert "Whole: all 9 events" in await _ended(walk)
        bad = VerifyResponse(position=3, head=9, done=True, first_bad_position=4, problem="its checksum is wrong")
        walk.start(_answers(bad))
        assert "Damaged at position 4: its checksum is wrong" in await _ended(walk)

    asyncio.run(scenario())


@pytest.mark.usefixtures("owner")
def test_a_walk_that_comes_to_no_verdict_says_why() -> None:
    async def scenario() -> None:
        walk = Verification()
        walk.start(_answers(VerifyResponse(position=5, head=9), error=Unreachable("no server answers", "Start it.")))
        assert "No server answers. Start it." in await _ended(walk)
        walk.start(_answers(VerifyResponse(position=5, head=9)))
        assert "without a verdict" in await _ended(walk)

    asyncio.run(scenario())


@pytest.mark.usefixtures("owner")
def test_one_walk_at_a_time_and_it_can_be_cancelled() -> None:
    async def endless() -> AsyncIterator[VerifyResponse]:
        yield VerifyResponse(position=5, head=9)
        await asyncio.Event().wait()

    async def scenario() -> None:
        walk = Verification()
        walk.start(endless())
        await asyncio.sleep(0)
        walk.start(_answers(VerifyResponse(head=1, done=True, ok=True)))
        await asyncio.sleep(0)
        assert "5 of 9 events checked" in words(verification.view(walk))
        walk.cancel()
        assert "Cancelled" in await _ended(walk)

    asyncio.run(scenario())


@pytest.mark.usefixtures("owner")
def test_a_guest_neither_cancels_nor_restarts_the_owners_walk() -> None:
    async def endless() -> AsyncIterator[VerifyResponse]:
        yield VerifyResponse(position=5, head=9)
        await asyncio.Event().wait()

    async def scenario() -> None:
        walk = Verification()
        walk.start(endless())
        asking = role.asking.set(role.GUEST)
        with pytest.raises(Forbidden):
            walk.cancel()
        await asyncio.sleep(0)
        assert walk.running
        role.asking.reset(asking)
        walk.cancel()
        ended = await _ended(walk)
        role.asking.set(role.GUEST)
        with pytest.raises(Forbidden):
            walk.start(_answers(VerifyResponse(head=1, done=True, ok=True)))
        assert words(verification.view(walk)) == ended

    asyncio.run(scenario())


class Proving(AsyncGuessbook):
    """Makes each proof when it is let, and counts how many are made at a time."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1")
        self.let = asyncio.Event()
        self.making = self.most = 0

    async def prove(self, position: int) -> ProveResponse:
        self.making += 1
        self.most = max(self.most, self.making)
        await self.let.wait()
        self.making -= 1
        if position > 9:
            raise Invalid(f"there is no position {position}; the log ends at 9", "Ask for one it has.")
        return ProveResponse()


class ProvingQueries(Queries):
    def __init__(self, book: AsyncGuessbook) -> None:
        super().__init__(lambda: "127.0.0.1:1", lambda _role: "")
        self._proving = book

    @property
    def book(self) -> AsyncGuessbook:
        return self._proving


async def _get(server: FastAPI, path: str, query: str) -> Message:
    """The head of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    await server(scope, receive, send)
    return sent[0]


def test_proofs_are_made_one_at_a_time_and_who_would_wait_long_is_told_so() -> None:
    async def scenario() -> None:
        book, server = Proving(), FastAPI()
        queries = ProvingQueries(book)
        proof.route(server, queries)
        first, second = (asyncio.create_task(_get(server, "/proof", "position=3")) for _ in range(2))
        while not book.making:
            await asyncio.sleep(0)
        refused = await _get(server, "/proof", "position=3")
        assert refused["status"] == 429
        assert (b"retry-after", b"5") in refused["headers"]
        book.let.set()
        assert [(await first)["status"], (await second)["status"]] == [200, 200]
        assert book.most == 1
        for query, status in (("position=10", 404), (f"position={2**64}", 400), ("position=-1", 400), ("", 400)):
            assert (await _get(server, "/proof", query))["status"] == status, query
        await book.close()
        await queries.close()

    asyncio.run(scenario())
