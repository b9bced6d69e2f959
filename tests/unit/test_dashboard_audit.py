"""What the page Audit says: its address, what an operation changed, an event in words, and how a walk over the log ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dash.development.base_component import Component

from guessbook.clients.dashboard.audit import details, verification
from guessbook.clients.dashboard.audit.asked import Asked, changed
from guessbook.clients.dashboard.audit.difference import difference
from guessbook.clients.dashboard.audit.verification import Verification
from guessbook.clients.errors import Unreachable
from guessbook.proto import events_pb2 as e
from guessbook.proto.log_pb2 import VerifyResponse


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
    search = changed("?run=r1&at=7&before=4", subject="job/a&b", before=None, event=3)
    assert Asked.parse(search) == Asked(subject="job/a&b", event=3)
    assert "run=r1" in search
    assert "at=7" in search
    assert changed("?event=3", event=None) == "?"


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


def test_a_walk_that_comes_to_no_verdict_says_why() -> None:
    async def scenario() -> None:
        walk = Verification()
        walk.start(_answers(VerifyResponse(position=5, head=9), error=Unreachable("no server answers", "Start it.")))
        assert "No server answers. Start it." in await _ended(walk)
        walk.start(_answers(VerifyResponse(position=5, head=9)))
        assert "without a verdict" in await _ended(walk)

    asyncio.run(scenario())


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
