"""A job of somebody else's program: how it begins, what can be asked of it, and that no trainer gets it."""

import pytest
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, JOB_STATE_COMPLETED, JOB_STATE_INTERRUPTED
from guessbook.server.decide import external, jobs, leases, trainers
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Refused, Superseded

CONFIG = e.TrainingConfig(base_model="tiny", learning_rate=3.0, snapshots=True)


def _after(book: Book, *events: Event) -> Book:
    for event in numbered(events, start=book.position + 1):
        book = book_fold.apply(book, event)
    return book


def _connected(*names: str) -> Book:
    here = [Event(subject=f"trainer/{name}", trainer_connected=e.TrainerConnected(epoch=1)) for name in names]
    return _after(Book(), *here)


def _start(book: Book, trainer: str = "callback", epoch: int = 1, dataset: str = "d") -> Decision:
    wanted = e.JobQueued(name="mine", dataset=dataset, config=CONFIG)
    return external.start(book, 1_800_000_000_000_000, trainer, epoch, wanted)


def _running(*others: str) -> Book:
    book = _connected("callback", *others)
    return _after(book, *_start(book).events)


def test_it_is_queued_and_leased_at_once_with_its_config_as_it_is() -> None:
    book = _running()
    (job,) = book.jobs.jobs.values()
    assert (job.state, job.external, job.trainer, job.epoch, job.run) == (
        JOB_STATE_ACTIVE,
        True,
        "callback",
        1,
        "run-0001",
    )
    assert job.config == CONFIG


def test_asking_again_gives_the_same_one_and_another_dataset_another() -> None:
    book = _running()
    (job,) = book.jobs.jobs
    again = _start(book)
    assert (again.job, list(again.events)) == (job, [])
    other = _start(book, dataset="other")
    assert other.job != job
    assert [event.WhichOneof("body") for event in other.events] == ["job_queued", "job_leased"]


def test_a_trainer_that_is_not_here_gets_none_and_the_base_model_must_be_named() -> None:
    with pytest.raises(Superseded):
        _start(_connected("callback"), epoch=2)
    with pytest.raises(Invalid, match="no base model"):
        external.config(e.TrainingConfig())


def test_nobody_else_gets_it_when_its_program_was_lost() -> None:
    book = _running("other")
    book = _after(book, *trainers.lost(book, "callback", 1, "its stream ended"))
    (job,) = book.jobs.jobs.values()
    assert job.state == JOB_STATE_INTERRUPTED
    assert queue.order(book.jobs) == []
    assert [one.id for one in queue.listed(book.jobs)] == [job.id]
    assert leases.lease(book, "other", 1).job == ""
    # It was only cut off: with its stream it gets the job back.
    back = trainers.connected(book, "callback", e.TrainerConnected(epoch=1))
    assert [event.WhichOneof("body") for event in back] == ["trainer_connected", "job_leased"]


def test_a_pause_and_a_resume_are_refused_with_what_can_be_done() -> None:
    for command in (jobs.pause, jobs.resume):
        (name,) = _running().jobs.jobs
        with pytest.raises(Refused, match="a program of its own") as refusal:
            command(_running(), name)
        assert "stopped" in refusal.value.hint


def test_a_stop_and_a_snapshot_are_asked_of_it() -> None:
    book = _running()
    stop = jobs.stop(book, "")
    assert "will end" in stop.message
    assert [event.WhichOneof("body") for event in stop.events] == ["stop_requested"]
    assert [event.WhichOneof("body") for event in jobs.snapshot(book, "").events] == ["snapshot_requested"]


def test_a_stop_that_its_lost_program_cannot_answer_does_not_queue_it() -> None:
    book = _running()
    book = _after(book, *jobs.stop(book, "").events)
    lost = trainers.lost(book, "callback", 1, "its stream ended")
    assert [event.WhichOneof("body") for event in lost] == ["trainer_lost", "job_interrupted"]


def test_it_may_be_completed_before_its_last_step() -> None:
    book = _running()
    (name,) = book.jobs.jobs
    book = _after(book, Event(subject=f"job/{name}", job_completed=e.JobCompleted(step=3)))
    assert book.jobs.jobs[name].state == JOB_STATE_COMPLETED
