"""Trainers that are here and that are lost: what can't be recorded, and streams that come back at the wrong moment."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, JobLeased, JobQueued, TrainerConnected
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE
from guessbook.server import attendance
from guessbook.server.attendance import Attendance
from guessbook.server.decide.jobs import Decision
from guessbook.server.live_book import LiveBook
from guessbook.store.errors import LogFull


class FullLog:
    """Refuses the first commands, as a log on a full disk does."""

    def __init__(self, refusals: int) -> None:
        self.asked = 0
        self.recorded = asyncio.Event()
        self._refusals = refusals

    async def decide(self, actor: str, decide: Callable[[Book], Decision]) -> tuple[Decision, None]:
        self.asked += 1
        if self.asked <= self._refusals:
            raise LogFull("no room")
        self.recorded.set()
        return Decision("", ""), None


def test_a_loss_that_the_log_refuses_is_told_until_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "RETRY_S", 0.0)

    async def run() -> int:
        log = FullLog(refusals=2)
        present = Attendance(cast(LiveBook, log), grace_s=0.0, start_grace_s=0.0)
        present.left("t", 1)
        async with asyncio.timeout(10):
            await log.recorded.wait()
        present.close()
        return log.asked

    assert asyncio.run(run()) == 3


INFO = TrainerConnected(epoch=1)
BEGINNING = [
    Event(subject="trainer/t", trainer_connected=INFO),
    Event(subject="job/a", job_queued=JobQueued(name="a", dataset="d")),
    Event(subject="job/a", job_leased=JobLeased(trainer="t", epoch=1, run="run-0001")),
]


class SlowLog:
    """Folds what is decided, when `disk` lets it."""

    def __init__(self) -> None:
        self.book = book_fold.fold(numbered(BEGINNING))
        self.disk, self.decided, self.recorded = asyncio.Event(), asyncio.Event(), asyncio.Queue[str]()

    async def decide(self, actor: str, decide: Callable[[Book], Decision]) -> tuple[Decision, None]:
        decision = decide(self.book)
        if decision.events:
            self.decided.set()
            await self.disk.wait()
        for event in numbered(decision.events, start=self.book.position + 1):
            self.book = book_fold.apply(self.book, event)
            self.recorded.put_nowait(event.WhichOneof("body") or "")
        return decision, None


def test_a_stream_that_comes_back_while_its_loss_is_written_is_here() -> None:
    async def run() -> tuple[list[str], Book]:
        log = SlowLog()
        present = Attendance(cast(LiveBook, log), grace_s=0.0, start_grace_s=0.0)
        await present.arrived("t", INFO)
        present.left("t", 1)
        async with asyncio.timeout(10):
            await log.decided.wait()
            await present.arrived("t", INFO)
            log.disk.set()
            told = [await log.recorded.get() for _ in range(4)]
        present.close()
        return told, log.book

    told, book = asyncio.run(run())
    assert told == ["trainer_lost", "job_interrupted", "trainer_connected", "job_leased"]
    assert book.jobs.trainers["t"].connected
    assert book.jobs.jobs["a"].state == JOB_STATE_ACTIVE


def test_the_grace_counts_from_when_a_stream_ended_last() -> None:
    async def run() -> bool:
        log = SlowLog()
        present = Attendance(cast(LiveBook, log), grace_s=1000.0, start_grace_s=0.0)
        present.watch_absent()
        await present.arrived("t", INFO)
        present.left("t", 1)
        for _ in range(10):  # turns of the loop: enough for a grace of no time
            await asyncio.sleep(0)
        present.close()
        return log.decided.is_set()

    assert not asyncio.run(run())
