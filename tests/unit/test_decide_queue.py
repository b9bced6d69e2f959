"""Decisions about the queue: on and off, who comes before whom, and who makes room for whom."""

import pytest
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections import queue as queue_fold
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto.control_pb2 import MoveJobRequest
from guessbook.proto.events_pb2 import Event
from guessbook.server.decide import jobs, leases, queue
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Missing, Refused


def _after(book: Book, *events: Event) -> Book:
    for event in numbered(events, start=book.position + 1):
        book = book_fold.apply(book, event)
    return book


def _here(name: str, devices: int = 0) -> Event:
    info = e.TrainerConnected(epoch=1, devices=[e.Device(name="gpu", memory_bytes=8 * 10**9)] * devices)
    return Event(subject=f"trainer/{name}", trainer_connected=info)


def _queued(name: str, priority: "e.Priority.ValueType" = e.PRIORITY_NORMAL, external: bool = False) -> Event:
    body = e.JobQueued(name=name, dataset="d", priority=priority, external=external)
    return Event(subject=f"job/{name}", job_queued=body)


def _leased(name: str, trainer: str) -> Event:
    return Event(subject=f"job/{name}", job_leased=e.JobLeased(trainer=trainer, epoch=1, run=f"run-{name}"))


def _order(book: Book) -> list[str]:
    return [job.id for job in queue_fold.order(book.jobs)]


def _stops(decision: Decision) -> dict[str, e.StopRequested]:
    return {
        event.subject.removeprefix("job/"): event.stop_requested
        for event in decision.events
        if event.HasField("stop_requested")
    }


def _urgent(book: Book, **more: object) -> Decision:
    return jobs.submit(book, 0, e.JobQueued(name="u", dataset="d", priority=e.PRIORITY_URGENT, preempt=True, **more))  # type: ignore[arg-type]


# ---- on and off ----


def test_off_stops_what_runs_in_its_place_and_paused_leaves_it_alone() -> None:
    book = _after(
        Book(), _here("t"), _here("x"), _queued("a"), _leased("a", "t"), _queued("b", external=True), _leased("b", "x")
    )
    paused = queue.switch(book, e.QUEUE_STATE_PAUSED, " a game ")
    assert not _stops(paused)
    assert paused.events[0].queue_changed.reason == "a game"
    off = queue.switch(_after(book, *paused.events), e.QUEUE_STATE_OFF, "")
    assert _stops(off) == {"a": e.StopRequested(keep_place=True)}
    assert "a will stop and keep its place; what other programs train goes on" in off.message
    book = _after(book, *off.events)
    assert queue.switch(book, e.QUEUE_STATE_OFF, "") == Decision("", "The queue is off already.")
    assert leases.lease(book, "t", 1).job == "a"  # it has it still
    book = _after(book, Event(subject="job/a", job_stopped=e.JobStopped(step=2)))
    assert leases.lease(book, "t", 1) == Decision("", "The queue is off.", [])
    book = _after(book, *queue.switch(book, e.QUEUE_STATE_ON, "").events)
    assert leases.lease(book, "t", 1).job == "a"
    with pytest.raises(Invalid):
        queue.switch(book, e.QUEUE_STATE_UNSPECIFIED, "")


def test_off_lets_a_merge_come_to_its_end() -> None:
    merge = Event(subject="job/m", job_queued=e.JobQueued(name="m", dataset="d", consolidate="v1"))
    off = queue.switch(_after(Book(), _here("t"), merge, _leased("m", "t")), e.QUEUE_STATE_OFF, "")
    assert not _stops(off)
    assert off.message == "The queue is off: no job is begun; a merge that is under way goes on to its end."


def test_what_is_asked_of_a_job_already_is_not_taken_back_by_off() -> None:
    book = _after(Book(), _here("t"), _queued("a"), _leased("a", "t"))
    book = _after(book, *jobs.pause(book, "a").events)
    assert not _stops(queue.switch(book, e.QUEUE_STATE_OFF, ""))


# ---- priority and place ----


def test_another_priority_once_and_with_no_name_for_the_next() -> None:
    book = _after(Book(), _queued("a"), _queued("b"))
    decision = queue.set_priority(book, "b", e.PRIORITY_HIGH)
    book = _after(book, *decision.events)
    assert _order(book) == ["b", "a"]
    again = queue.set_priority(book, "b", e.PRIORITY_HIGH)
    assert (again.events, again.message) == ([], "b has the priority high already.")
    assert queue.set_priority(book, "", e.PRIORITY_URGENT).job == "b"
    with pytest.raises(Missing):
        queue.set_priority(book, "z", e.PRIORITY_HIGH)
    with pytest.raises(Invalid):
        queue.set_priority(book, "a", e.PRIORITY_UNSPECIFIED)
    book = _after(book, *jobs.cancel(book, "a").events)
    with pytest.raises(Refused, match="was cancelled"):
        queue.set_priority(book, "a", e.PRIORITY_HIGH)


def test_before_another_takes_its_priority_in_the_same_commit_and_says_so() -> None:
    book = _after(Book(), _queued("a"), _queued("h", e.PRIORITY_HIGH), _queued("b"))
    decision = queue.move(book, MoveJobRequest(job="b", before="h"))
    assert [event.WhichOneof("body") for event in decision.events] == ["job_priority_changed", "job_moved"]
    assert decision.message == "b comes directly before h now, and has its priority: high."
    book = _after(book, *decision.events)
    assert _order(book) == ["b", "h", "a"]
    assert not queue.move(book, MoveJobRequest(job="b", before="h")).events


def test_to_the_front_and_behind_its_equals() -> None:
    book = _after(Book(), _queued("a"), _queued("b"), _queued("c"), _queued("h", e.PRIORITY_HIGH))
    book = _after(book, *queue.move(book, MoveJobRequest(job="c", to_front=True)).events)
    assert _order(book) == ["h", "c", "a", "b"]
    assert not queue.move(book, MoveJobRequest(job="c", to_front=True)).events
    book = _after(book, *queue.move(book, MoveJobRequest(job="c")).events)
    assert _order(book) == ["h", "a", "b", "c"]
    assert not queue.move(book, MoveJobRequest(job="c")).events


def test_what_can_not_be_moved_and_why() -> None:
    lost = Event(subject="job/i", job_interrupted=e.JobInterrupted())
    stopped = Event(subject="job/s", job_stopped=e.JobStopped())
    book = _after(Book(), _here("t"), _queued("i"), _leased("i", "t"), lost, _queued("s"), _leased("s", "t"), stopped)
    book = _after(book, _queued("r"), _queued("w"))
    assert "goes on before all" in queue.move(book, MoveJobRequest(job="i", before="w")).message
    for asked, why in (
        (MoveJobRequest(job="w", before="i"), "was interrupted; it goes on first"),
        (MoveJobRequest(job="w", before="s"), "until another job had its turn"),
    ):
        with pytest.raises(Refused, match=why):
            queue.move(book, asked)
    with pytest.raises(Invalid, match="before itself"):
        queue.move(book, MoveJobRequest(job="w", before="w"))
    with pytest.raises(Invalid, match="both"):
        queue.move(book, MoveJobRequest(job="w", before="r", to_front=True))
    with pytest.raises(Refused, match="r is active; only a job that waits has a place"):
        queue.move(_after(book, _leased("r", "t")), MoveJobRequest(job="r", to_front=True))


# ---- making room ----


def test_the_least_urgent_makes_room_and_of_those_the_youngest() -> None:
    trainers = [_here(name) for name in "tuv"]
    running = [_queued("n", e.PRIORITY_NORMAL), _queued("old", e.PRIORITY_LOW), _queued("young", e.PRIORITY_LOW)]
    leased = [_leased("n", "t"), _leased("old", "u"), _leased("young", "v")]
    started = [Event(subject=f"job/{name}", job_started=e.JobStarted()) for name in ("n", "old", "young")]
    book = _after(Book(), *trainers, *running, *leased, *started)
    decision = _urgent(book)
    assert _stops(decision) == {"young": e.StopRequested(preempted_by=decision.job, keep_place=True)}
    assert "young will make room and goes on afterwards" in decision.message
    # A second one takes the next; one whose room is there already takes none.
    book = _after(book, *decision.events)
    assert list(_stops(_urgent(book))) == ["old"]
    assert not queue.set_priority(book, decision.job, e.PRIORITY_URGENT, preempt=True).events


def test_nobody_makes_room_where_there_is_room_or_nobody_less_urgent() -> None:
    book = _after(Book(), _here("t"), _queued("a", e.PRIORITY_URGENT))
    assert "No less urgent job runs" in _urgent(_after(book, _leased("a", "t"))).message
    low = _after(Book(), _here("t"), _here("u"), _queued("a", e.PRIORITY_LOW), _leased("a", "t"))
    assert _urgent(low).message.endswith("A trainer is free for it.")
    # The trainer that is free is for the one that came first.
    assert list(_stops(_urgent(_after(low, _queued("first", e.PRIORITY_URGENT))))) == ["a"]
    pausing = _after(low, Event(subject="trainer/u", trainer_lost=e.TrainerLost(epoch=1)))
    assert list(_stops(_urgent(pausing))) == ["a"]
    pausing = _after(pausing, *jobs.pause(pausing, "a").events)
    assert not _stops(_urgent(pausing))


def test_only_what_fits_and_may_be_stopped_makes_room() -> None:
    book = _after(Book(), _here("small", devices=1), _here("large", devices=2))
    book = _after(book, _queued("a", e.PRIORITY_LOW), _leased("a", "small"), _queued("b"), _leased("b", "large"))
    assert list(_stops(_urgent(book))) == ["a"]
    assert list(_stops(_urgent(book, needs=e.Needs(devices=2)))) == ["b"]
    external = _after(Book(), _here("x"), _queued("e", e.PRIORITY_LOW, external=True), _leased("e", "x"))
    assert not _stops(_urgent(external))


def test_nobody_makes_room_for_what_can_not_run_yet() -> None:
    book = _after(Book(), _here("t"), _queued("a", e.PRIORITY_LOW), _leased("a", "t"))
    assert "It waits for other jobs" in _urgent(book, after=["a"]).message
    paused = _after(book, *queue.switch(book, e.QUEUE_STATE_PAUSED, "").events)
    decision = _urgent(paused)
    assert not _stops(decision)
    assert "It waits: the queue is paused." in decision.message


def test_a_waiting_job_can_be_made_urgent_and_take_the_place_at_once() -> None:
    book = _after(Book(), _here("t"), _queued("a"), _leased("a", "t"), _queued("b"))
    decision = queue.set_priority(book, "b", e.PRIORITY_URGENT, preempt=True)
    assert [event.WhichOneof("body") for event in decision.events] == ["job_priority_changed", "stop_requested"]
    book = _after(book, *decision.events, Event(subject="job/a", job_stopped=e.JobStopped(step=3)))
    assert leases.lease(book, "t", 1).job == "b"
    assert _order(_after(book, *leases.lease(book, "t", 1).events)) == ["a"]


def test_a_job_that_was_just_leased_is_the_youngest() -> None:
    running = [_queued("old", e.PRIORITY_LOW), _queued("new", e.PRIORITY_LOW)]
    leased = [_leased("new", "t"), _leased("old", "u"), Event(subject="job/old", job_started=e.JobStarted())]
    assert list(_stops(_urgent(_after(Book(), _here("t"), _here("u"), *running, *leased)))) == ["new"]


def test_what_fits_no_free_trainer_takes_none_from_an_urgent_job() -> None:
    book = _after(Book(), _here("t"), _here("free"), _queued("a", e.PRIORITY_LOW), _leased("a", "t"))
    wide = Event(
        subject="job/w",
        job_queued=e.JobQueued(name="w", dataset="d", priority=e.PRIORITY_URGENT, needs=e.Needs(devices=2)),
    )
    assert _urgent(_after(book, wide)).message.endswith("A trainer is free for it.")


# ---- leases ----


def test_a_trainer_that_is_held_for_lost_gets_no_job_before_its_stream_is_back() -> None:
    book = _after(Book(), _here("t"), _queued("a"), Event(subject="trainer/t", trainer_lost=e.TrainerLost(epoch=1)))
    with pytest.raises(Refused, match="trainer t is held for lost"):
        leases.lease(book, "t", 1)
    assert leases.lease(_after(book, _here("t")), "t", 1).job == "a"
