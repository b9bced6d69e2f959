"""The queue on the page Training: its rows, their menus, and what is said above them."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dash.development.base_component import Component

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import commands
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import queue, queue_menu
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import Rejected
from guessbook.proto.control_pb2 import CommandResponse
from guessbook.proto.events_pb2 import PRIORITY_LOW, PRIORITY_NORMAL, QUEUE_STATE_ON, QUEUE_STATE_PAUSED
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_COMPLETED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    ExplainQueueResponse,
    Job,
    JobOutlook,
    ListJobsResponse,
)

ACTIVE = Job(id="j0", name="facts.jsonl", state=JOB_STATE_ACTIVE, run="r0", started_at_us=1)
NOW_US = 1_800_000_000_000_000
OUTLOOK = ExplainQueueResponse(
    state=QUEUE_STATE_ON,
    now_us=NOW_US,
    jobs=[JobOutlook(job="j1", why="behind 1 normal job", basis="no job like it was trained yet")],
)


def queued(number: int) -> Job:
    return Job(id=f"j{number}", name=f"{number}.jsonl", state=JOB_STATE_QUEUED)


def within(part: Any) -> Iterator[Any]:
    """A component, its children, and so on down."""
    yield part
    children = getattr(part, "children", None)
    for child in children if isinstance(children, list) else [children]:
        if child is not None:
            yield from within(child)


def texts(part: Component) -> str:
    return " ".join(each for each in within(part) if isinstance(each, str))


def orders(part: Component) -> list[tuple[str, str]]:
    """What its menu's entries ask for: (name, to)."""
    ids = (getattr(each, "id", None) for each in within(part))
    return [(each["name"], each["to"]) for each in ids if isinstance(each, dict)]


def test_it_says_where_it_leaves_jobs_out() -> None:
    jobs = [queued(number) for number in range(1, queue.MOST + 11)]
    rows = queue.job_rows(jobs, OUTLOOK, "", View(), steered=False)
    assert len(rows) == queue.MOST + 1
    assert rows[-1].children == "50 of 60 shown"
    assert queue.waiting([ACTIVE, *jobs]) == "1 running · 60 waiting"


def test_a_job_says_why_it_waits_and_what_is_not_known() -> None:
    (row,) = queue.job_rows([queued(1)], OUTLOOK, "", View(), steered=False)
    assert "Behind 1 normal job; how long it takes is not known: no job like it was trained yet" in texts(row)


def test_a_job_leads_to_its_run_at_the_same_point_in_time() -> None:
    done = Job(id="j9", name="old.jsonl", state=JOB_STATE_COMPLETED, run="r9", started_at_us=1)
    rows = queue.job_rows([ACTIVE, done], OUTLOOK, "r0", View(at=12), steered=False)
    links = [each.href for row in rows for each in within(row) if hasattr(each, "href")]
    assert links == ["/?run=r9&at=12"]


def test_a_move_names_the_job_to_come_before() -> None:
    order = ["j1", "j2", "j3"]
    assert orders(queue_menu.menu(queued(1), order))[0] == ("move", "j3")
    assert orders(queue_menu.menu(queued(2), order))[:3] == [("move", "j1"), ("front", ""), ("move", "")]
    assert orders(queue_menu.menu(queued(3), order))[:2] == [("move", "j2"), ("front", "")]


def test_who_can_not_steer_has_no_menu_and_drags_nothing() -> None:
    rows = queue.job_rows([ACTIVE, queued(1)], OUTLOOK, "", View(), steered=False)
    assert not any(orders(row) for row in rows)
    assert not any(hasattr(row, "draggable") for row in rows)


def test_a_job_that_is_held_is_not_moved() -> None:
    held = Job(id="j1", name="1.jsonl", state=JOB_STATE_QUEUED, held=True)
    (row,) = queue.job_rows([held], OUTLOOK, "", View(), steered=True)
    assert orders(row) == [("resume", ""), ("cancel", "")]
    assert not hasattr(row, "draggable")


def test_the_note_says_that_the_queue_is_not_on_else_when_it_is_done() -> None:
    paused = ExplainQueueResponse(state=QUEUE_STATE_PAUSED, reason="lent", now_us=NOW_US)
    assert queue.note(paused) == "The queue is paused: lent. No job is begun until it is on again."
    ending = ExplainQueueResponse(state=QUEUE_STATE_ON, now_us=NOW_US, ends_at_us=NOW_US + 90_000_000)
    assert queue.note(ending).endswith("in 1 min 30 s.")
    assert queue.note(OUTLOOK) == ""


def test_the_commands_fit_the_state() -> None:
    assert commands.possible(ACTIVE) == ["snapshot", "skip", "pause", "stop", "cancel"]
    assert commands.possible(Job(state=JOB_STATE_ACTIVE, snapshot_pending=True)) == ["skip", "pause", "stop", "cancel"]
    assert commands.possible(Job(state=JOB_STATE_ACTIVE, external=True)) == ["snapshot", "skip", "stop", "cancel"]
    # The last request counts; only cancelling can't be taken back.
    assert commands.possible(Job(state=JOB_STATE_ACTIVE, pending="stop")) == ["pause", "cancel"]
    assert commands.possible(Job(state=JOB_STATE_ACTIVE, pending="cancel")) == []
    assert commands.possible(Job(state=JOB_STATE_ACTIVE, consolidate="v001")) == []
    assert commands.possible(Job(state=JOB_STATE_PAUSED)) == ["resume", "cancel"]
    assert commands.possible(Job(state=JOB_STATE_QUEUED)) == ["cancel"]
    assert commands.possible(Job(state=JOB_STATE_COMPLETED)) == []


def test_what_interrupts_ends_or_brings_back_something_is_asked_first() -> None:
    asked = {name for name, command in commands.BY_NAME.items() if command.consequence}
    assert asked == {"skip", "pause", "stop", "cancel", "queue-paused", "queue-off", "restore-version"}


class MovingNobody(AsyncGuessbook):
    """A server whose jobs begin to run as soon as one's priority was changed."""

    def __init__(self) -> None:
        pass  # asks nobody

    async def jobs(self, *_: Any, **__: Any) -> ListJobsResponse:
        jobs = [Job(id="j1", priority=PRIORITY_NORMAL), Job(id="j2", priority=PRIORITY_LOW)]
        return ListJobsResponse(jobs=jobs)

    async def set_priority(self, job: str, *_: Any, **__: Any) -> CommandResponse:
        return CommandResponse(message="One has the priority low now.")

    async def move(self, job: str, *_: Any, **__: Any) -> CommandResponse:
        raise Rejected("It is active; only a job that waits has a place", "Nothing was moved.")


@pytest.mark.parametrize(("job", "changed"), [("j1", True), ("j2", False)])
def test_a_move_to_the_end_that_fails_says_what_was_changed_before(job: str, changed: bool) -> None:
    queries = cast(Queries, SimpleNamespace(book=MovingNobody()))
    shown = texts(asyncio.run(commands.obey(queries, {"name": "move", "job": job, "to": ""})))
    assert "It is active; only a job that waits has a place. Nothing was moved." in shown
    assert ("One has the priority low now. But it was not moved behind the last" in shown) == changed
