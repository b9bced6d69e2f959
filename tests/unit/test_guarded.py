"""A guarded operation that is ended while its next stage is being written: whoever was first counts, and nothing stands still."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, cast

import pytest
from made_events import beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, JobCancelled, VersionCreated
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_BACKED_UP,
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_UNDONE,
    Operation,
    OperationRequest,
)
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.operations import Circumstances
from guessbook.server.decide.rejection import Refused
from guessbook.server.guarded import CannotGoOn, Guarded
from guessbook.server.guarded_works import Consolidated
from guessbook.server.live_book import LiveBook

ASKED = OperationRequest(kind="consolidate", target="v1", reason="x")
ABOUT = Circumstances(now_us=1, trash_days=1)


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    return run


class Ledger:
    """A book whose writer commits what it was handed, also when whoever handed it in has left meanwhile: before that one is gone, or `late`."""

    def __init__(self, slow: str = "", *, late: bool = False) -> None:
        created = VersionCreated(slug="facts", run="run-0001", dataset="d" * 64, base_model="tiny")
        self.book = book_fold.fold(numbered([*beginning(), Event(subject="run/run-0001", version_created=created)]))
        self.writing = asyncio.Event()
        self._slow = slow  # the event during whose commit the caller is cut off
        self._late = late
        self._handed_in: list[Event] = []

    async def decide(self, actor: str, decide: Callable[[Book], Decision]) -> tuple[Decision, None]:
        decision = decide(self.book)
        if decision.events and self._handed_in:  # it came first, so this is decided again
            self._commit()
            return await self.decide(actor, decide)
        self._handed_in = list(decision.events)
        if any(event.WhichOneof("body") == self._slow for event in decision.events):
            self.writing.set()
            try:
                await asyncio.Event().wait()
            finally:
                if not self._late:
                    self._commit()
        self._commit()
        return decision, None

    def _commit(self) -> None:
        self.book = book_fold.fold(numbered(self._handed_in, start=self.book.position + 1), self.book)
        self._handed_in = []

    @property
    def fold(self) -> "Ledger":
        return self

    async def moved(self) -> None:
        await asyncio.sleep(0)

    def stage(self) -> int:
        (operation,) = self.book.operations.by_id.values()
        return operation.stage


class Merged:
    """A merge that takes no time."""

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        return [], "{}"

    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        return [], "it was looked at"

    async def undo(self, operation: Operation) -> str:
        return "As it was."


async def back_up(kind: str, operation: str) -> tuple[str, Sequence[str]]:
    return "b", ["here"]


def guarded(ledger: Ledger, work: Any) -> Guarded:
    return Guarded(cast(LiveBook, ledger), back_up, {"consolidate": work})


async def until(ledger: Ledger, stage: int) -> None:
    while ledger.stage() != stage:
        await asyncio.sleep(0)


@on_a_loop
async def test_what_was_performed_just_then_goes_on_to_its_end() -> None:
    ledger = Ledger(slow="operation_performed")
    works = guarded(ledger, Merged())
    operation, _ = await works.request("admin", ASKED, ABOUT)
    await ledger.writing.wait()
    with pytest.raises(Refused, match="was performed just then"):
        await works.abort(operation.id, "admin", "no trainer")
    await until(ledger, OPERATION_STAGE_COMPLETED)


@on_a_loop
async def test_what_is_ended_before_it_is_performed_is_undone() -> None:
    ledger = Ledger(slow="operation_performed", late=True)
    works = guarded(ledger, Merged())
    operation, _ = await works.request("admin", ASKED, ABOUT)
    await ledger.writing.wait()
    assert (await works.abort(operation.id, "admin", "no trainer")).stage == OPERATION_STAGE_UNDONE


@on_a_loop
async def test_its_job_is_cancelled_in_the_commit_that_ends_it_even_if_it_was_being_queued() -> None:
    ledger = Ledger(slow="job_queued", late=True)
    works = guarded(ledger, Consolidated(cast(LiveBook, ledger), cast(Any, None)))
    operation, _ = await works.request("admin", ASKED, ABOUT)
    await ledger.writing.wait()
    ended = await works.abort(operation.id, "admin", "no trainer")
    assert ended.stage == OPERATION_STAGE_UNDONE
    assert "no trainer" in ended.error
    assert ledger.book.jobs.jobs[ended.job].state == JOB_STATE_CANCELLED


@on_a_loop
async def test_an_end_that_was_being_written_is_the_only_one() -> None:
    class Failing(Merged):
        async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
            raise CannotGoOn("the merge was refused", "")

    ledger = Ledger(slow="operation_undone", late=True)
    works = guarded(ledger, Failing())
    operation, _ = await works.request("admin", ASKED, ABOUT)
    await ledger.writing.wait()
    ended = await works.abort(operation.id, "admin", "no trainer")
    assert "the merge was refused" in ended.error


@on_a_loop
async def test_a_merge_whose_job_is_cancelled_says_so() -> None:
    ledger = Ledger()
    works = guarded(ledger, Consolidated(cast(LiveBook, ledger), cast(Any, None)))
    await works.request("admin", ASKED, ABOUT)
    await until(ledger, OPERATION_STAGE_BACKED_UP)
    while not (job := next(iter(ledger.book.operations.by_id.values())).job):
        await asyncio.sleep(0)
    cancelled = Event(subject=f"job/{job}", job_cancelled=JobCancelled())
    await ledger.decide("admin", lambda book: Decision("", "", [cancelled]))
    await until(ledger, OPERATION_STAGE_UNDONE)
    (operation,) = ledger.book.operations.by_id.values()
    assert operation.error == "the merge was cancelled"
