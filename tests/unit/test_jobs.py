"""The jobs fold: states, order of the queue, and what is asked and not answered."""

from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.projections.jobs import queue
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event


def _queued(name: str, priority: "e.Priority.ValueType" = e.PRIORITY_NORMAL) -> Event:
    return Event(subject=f"job/{name}", job_queued=e.JobQueued(name=name, dataset="d", priority=priority))


def _leased(name: str, run: str = "run-0001") -> Event:
    return Event(subject=f"job/{name}", job_leased=e.JobLeased(trainer="t", epoch=1, run=run))


def _fold(*events: Event) -> Book:
    return book_fold.fold(numbered(events))


def _order(book: Book) -> list[str]:
    return [job.id for job in queue(book.jobs)]


def test_by_priority_then_first_in_first_out() -> None:
    book = _fold(_queued("a"), _queued("b", e.PRIORITY_LOW), _queued("c"), _queued("d", e.PRIORITY_URGENT))
    assert _order(book) == ["d", "a", "c", "b"]


def test_an_interrupted_job_comes_first() -> None:
    lost = Event(subject="job/b", job_interrupted=e.JobInterrupted(trainer="t", reason="gone"))
    book = _fold(_queued("a", e.PRIORITY_URGENT), _queued("b"), _leased("b"), lost)
    assert _order(book) == ["b", "a"]
    assert book.jobs.jobs["b"].state == h.JOB_STATE_INTERRUPTED


def test_a_stopped_job_goes_behind_and_is_held_until_another_had_its_turn() -> None:
    stop = [
        Event(subject="job/a", stop_requested=e.StopRequested()),
        Event(subject="job/a", job_stopped=e.JobStopped(step=7)),
    ]
    book = _fold(_queued("a"), _queued("b"), _leased("a"), *stop)
    assert _order(book) == ["b", "a"]
    job = book.jobs.jobs["a"]
    assert (job.held, job.checkpoint_step, job.pending) == (True, 7, "")
    book = book_fold.apply(book, numbered([_leased("b", "run-0002")], start=book.position + 1)[0])
    assert not book.jobs.jobs["a"].held


def test_a_resumed_job_keeps_its_place() -> None:
    pause = [
        Event(subject="job/a", pause_requested=e.PauseRequested()),
        Event(subject="job/a", job_paused=e.JobPaused(step=3)),
        Event(subject="job/a", resume_requested=e.ResumeRequested()),
    ]
    book = _fold(_queued("a"), _queued("b"), _leased("a"), *pause)
    assert _order(book) == ["a", "b"]


def test_a_request_is_pending_until_it_is_answered() -> None:
    events = [_queued("a"), _leased("a"), Event(subject="job/a", pause_requested=e.PauseRequested())]
    assert _fold(*events).jobs.jobs["a"].pending == "pause"
    paused = Event(subject="job/a", job_paused=e.JobPaused(step=3))
    job = _fold(*events, paused).jobs.jobs["a"]
    assert (job.pending, job.state) == ("", h.JOB_STATE_PAUSED)


def test_a_trainer_is_connected_until_it_is_lost() -> None:
    here = Event(subject="trainer/t", trainer_connected=e.TrainerConnected(epoch=1))
    restarted = Event(subject="server", server_started=e.ServerStarted())
    lost = Event(subject="trainer/t", trainer_lost=e.TrainerLost(epoch=1, reason="gone"))
    assert _fold(here, restarted).jobs.trainers["t"].connected
    assert not _fold(here, restarted, lost).jobs.trainers["t"].connected
