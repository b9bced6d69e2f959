"""The jobs fold: states, order of the queue, and what is asked and not answered."""

from collections.abc import Sequence

from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections import queue, views
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event


def _queued(
    name: str, priority: "e.Priority.ValueType" = e.PRIORITY_NORMAL, after: Sequence[str] = (), devices: int = 0
) -> Event:
    body = e.JobQueued(name=name, dataset="d", priority=priority, after=after, needs=e.Needs(devices=devices))
    return Event(subject=f"job/{name}", job_queued=body)


def _leased(name: str, run: str = "run-0001") -> Event:
    return Event(subject=f"job/{name}", job_leased=e.JobLeased(trainer="t", epoch=1, run=run))


def _fold(*events: Event) -> Book:
    return book_fold.fold(numbered(events))


def _order(book: Book) -> list[str]:
    return [job.id for job in queue.order(book.jobs)]


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


def test_a_late_start_makes_nothing_active_again() -> None:
    lost = Event(subject="job/a", job_interrupted=e.JobInterrupted(trainer="t"))
    late = Event(subject="job/a", job_started=e.JobStarted(run="run-0001"))
    job = _fold(_queued("a"), _leased("a"), lost, late).jobs.jobs["a"]
    assert (job.state, job.started_at_us) == (h.JOB_STATE_INTERRUPTED, 4_000_000)


def _asked(name: str, **body: object) -> Event:
    return Event(subject=f"job/{name}", **body)  # type: ignore[arg-type]


def test_what_makes_room_keeps_its_place_and_is_not_held() -> None:
    stop = _asked("a", stop_requested=e.StopRequested(preempted_by="u", keep_place=True))
    book = _fold(_queued("a"), _queued("b"), _leased("a"), _queued("u", e.PRIORITY_URGENT), stop)
    assert (book.jobs.jobs["a"].pending, book.jobs.jobs["a"].preempted_by) == ("stop", "u")
    stopped = _asked("a", job_stopped=e.JobStopped(step=7))
    book = book_fold.apply(book, numbered([stopped], start=book.position + 1)[0])
    job = book.jobs.jobs["a"]
    assert _order(book) == ["u", "a", "b"]
    assert (job.state, job.held, job.keep_place, job.preempted_by) == (h.JOB_STATE_QUEUED, False, False, "u")
    book = book_fold.apply(book, numbered([_leased("a")], start=book.position + 1)[0])
    assert not book.jobs.jobs["a"].preempted_by


def test_what_makes_room_keeps_its_place_even_if_its_trainer_is_lost() -> None:
    stop = _asked("a", stop_requested=e.StopRequested(preempted_by="u", keep_place=True))
    lost = [_asked("a", job_interrupted=e.JobInterrupted()), _asked("a", job_stopped=e.JobStopped(), causation=3)]
    book = _fold(_queued("a"), _leased("a"), stop, _queued("u", e.PRIORITY_URGENT), *lost)
    assert _order(book) == ["u", "a"]
    assert not book.jobs.jobs["a"].held


def test_the_answer_of_a_trainer_that_was_lost_moves_nothing_any_more() -> None:
    lost = [_asked("a", job_interrupted=e.JobInterrupted()), _asked("a", job_paused=e.JobPaused(), causation=3)]
    resumed = _asked("a", resume_requested=e.ResumeRequested())
    late = _asked("a", job_paused=e.JobPaused(step=8), causation=3)
    job = _fold(
        _queued("a"), _leased("a"), _asked("a", pause_requested=e.PauseRequested()), *lost, resumed, late
    ).jobs.jobs["a"]
    assert (job.state, job.checkpoint_step) == (h.JOB_STATE_QUEUED, 8)


def test_a_failure_that_is_told_late_moves_nothing_any_more() -> None:
    paused = [_asked("a", pause_requested=e.PauseRequested()), _asked("a", job_interrupted=e.JobInterrupted())]
    events = [_queued("a"), _leased("a"), *paused]
    failed = _asked("a", job_failed=e.JobFailed(error="x"))
    job = _fold(*events, _asked("a", job_paused=e.JobPaused(), causation=3), failed).jobs.jobs["a"]
    assert (job.state, job.error) == (h.JOB_STATE_PAUSED, "")
    assert _fold(*events, failed).jobs.jobs["a"].state == h.JOB_STATE_FAILED, "nobody has put it elsewhere"


def test_what_was_asked_while_an_answer_was_on_its_way_stays_asked() -> None:
    events = [
        _queued("a"),
        _leased("a"),
        _asked("a", stop_requested=e.StopRequested()),
        _asked("a", cancel_requested=e.CancelRequested()),
        _asked("a", job_stopped=e.JobStopped(step=5), causation=3),
    ]
    book = _fold(*events)
    job = book.jobs.jobs["a"]
    assert (job.state, job.pending, job.pending_position) == (h.JOB_STATE_QUEUED, "cancel", 4)
    assert not queue.ready(book.jobs, job)
    job = _fold(*events, _asked("a", job_cancelled=e.JobCancelled(step=5), causation=4)).jobs.jobs["a"]
    assert (job.state, job.pending, job.held, job.finished_at_us) == (h.JOB_STATE_CANCELLED, "", False, 6_000_000)


def test_a_job_comes_directly_before_another_and_nobody_else_changes_sides() -> None:
    jobs = [_queued("a"), _queued("b", e.PRIORITY_HIGH), _queued("c"), _queued("d"), _queued("x")]
    moved = _asked("d", job_moved=e.JobMoved(before="a"))
    assert _order(_fold(*jobs, moved)) == ["b", "d", "a", "c", "x"]
    assert _order(_fold(*jobs, moved, _asked("d", job_moved=e.JobMoved()))) == ["b", "a", "c", "x", "d"]
    later = _asked("b", job_priority_changed=e.JobPriorityChanged(to=e.PRIORITY_NORMAL))
    assert _order(_fold(*jobs, moved, later)) == ["d", "a", "b", "c", "x"]
    nowhere = _fold(_queued("a"), _asked("a", job_moved=e.JobMoved(before="z")))
    assert [reason for _, reason in nowhere.misplaced] == ["a can't come before z: one of them doesn't wait"]


def test_a_job_waits_until_what_it_comes_after_is_completed() -> None:
    events = [_queued("a"), _queued("b", after=["a"]), _leased("a")]
    book = _fold(*events)
    assert [job.id for job in queue.unmet(book.jobs, book.jobs.jobs["b"])] == ["a"]
    failed = _fold(*events, _asked("a", job_failed=e.JobFailed(failure=e.FAILURE_NOT_FINITE)))
    assert not queue.ready(failed.jobs, failed.jobs.jobs["b"])
    assert failed.jobs.jobs["a"].failure == e.FAILURE_NOT_FINITE
    completed = _fold(*events, _asked("a", job_completed=e.JobCompleted()))
    assert queue.ready(completed.jobs, completed.jobs.jobs["b"])


def test_a_trainer_takes_the_first_job_that_it_fits_while_the_queue_is_on() -> None:
    book = _fold(_queued("big", devices=2), _queued("small", devices=1), _queued("any"))
    gigabyte = 10**9
    small = h.Trainer(id="t", devices=[e.Device(memory_bytes=8 * gigabyte)])
    large = h.Trainer(id="u", devices=[e.Device(memory_bytes=8 * gigabyte), e.Device(memory_bytes=24 * gigabyte)])
    taken = [queue.next_for(book.jobs, trainer) for trainer in (h.Trainer(id="v"), small, large)]
    assert [job.id for job in taken if job] == ["any", "small", "big"]
    assert queue.fits(e.Needs(memory_bytes=24 * gigabyte), large)
    assert not queue.fits(e.Needs(memory_bytes=24 * gigabyte), small)
    off = Event(subject="queue", queue_changed=e.QueueChanged(to=e.QUEUE_STATE_OFF, reason="a game"))
    book = book_fold.apply(book, numbered([off], start=book.position + 1)[0])
    assert queue.next_for(book.jobs, large) is None
    status = views.status(book)
    assert (status.queue, status.queue_reason) == (e.QUEUE_STATE_OFF, "a game")


def test_a_reduced_batch_a_moved_file_and_a_skipped_batch_show() -> None:
    begun = [_queued("a"), _leased("a"), _asked("a", batch_skip_requested=e.BatchSkipRequested())]
    assert _fold(*begun).jobs.jobs["a"].skip_pending
    reduced = e.BatchSizeReduced(per_device_train_batch_size=2, gradient_accumulation_steps=8)
    received = e.FileReceived(job="a", moved_to="data/completed/a.jsonl")
    job = _fold(
        *begun,
        _asked("a", batch_skipped=e.BatchSkipped(step=3)),
        _asked("a", batch_size_reduced=reduced),
        Event(subject="inbox", file_received=received),
    ).jobs.jobs["a"]
    assert (job.skip_pending, job.file) == (False, "data/completed/a.jsonl")
    assert (job.config.per_device_train_batch_size, job.config.gradient_accumulation_steps) == (2, 8)


def test_the_status_tells_of_every_job_that_runs_and_of_the_cancelled() -> None:
    cancelled = _asked("c", job_cancelled=e.JobCancelled())
    book = _fold(_queued("a"), _queued("b"), _queued("c"), _leased("a"), _leased("b", "run-0002"), cancelled)
    status = views.status(book)
    assert ([job.id for job in status.active_jobs], status.active.id, status.cancelled) == (["a", "b"], "a", 1)
    assert [job.id for job in queue.listed(book.jobs)] == ["a", "b", "c"]


def test_a_trainer_is_connected_until_it_is_lost() -> None:
    here = Event(subject="trainer/t", trainer_connected=e.TrainerConnected(epoch=1))
    restarted = Event(subject="server", server_started=e.ServerStarted())
    lost = Event(subject="trainer/t", trainer_lost=e.TrainerLost(epoch=1, reason="gone"))
    assert _fold(here, restarted).jobs.trainers["t"].connected
    assert not _fold(here, restarted, lost).jobs.trainers["t"].connected
