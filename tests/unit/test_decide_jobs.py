"""Decisions about jobs: what each command leads to in each state, and why it is turned down."""

from collections.abc import Callable

import pytest
from made_events import numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.control_pb2 import ChangeScheduleRequest
from guessbook.proto.events_pb2 import Event
from guessbook.server.decide import config as config_rules
from guessbook.server.decide import jobs, leases, trainers
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Forbidden, Invalid, Missing, Refused, Superseded

HERE = Event(subject="trainer/t", trainer_connected=e.TrainerConnected(epoch=1))
QUEUED = Event(
    subject="job/a", job_queued=e.JobQueued(name="a.jsonl", dataset="d", config=e.TrainingConfig(snapshots=True))
)
LEASED = Event(subject="job/a", job_leased=e.JobLeased(trainer="t", epoch=1, run="run-0001"))
PAUSE = Event(subject="job/a", pause_requested=e.PauseRequested())
PAUSED = Event(subject="job/a", job_paused=e.JobPaused(step=4))
STOPPED = Event(subject="job/a", job_stopped=e.JobStopped(step=4))
INTERRUPTED = Event(subject="job/a", job_interrupted=e.JobInterrupted(trainer="t"))
COMPLETED = Event(subject="job/a", job_completed=e.JobCompleted(step=9))
MAKE_ROOM = Event(subject="job/a", stop_requested=e.StopRequested(preempted_by="u", keep_place=True))
CANCEL = Event(subject="job/a", cancel_requested=e.CancelRequested())
CANCELLED = Event(subject="job/a", job_cancelled=e.JobCancelled())

Command = Callable[[Book, str], Decision]


def _book(*events: Event) -> Book:
    copies = []
    for event in events:
        copy = Event()
        copy.CopyFrom(event)
        copies.append(copy)
    return book_fold.fold(numbered(copies))


def _after(book: Book, decision: Decision) -> Book:
    for event in numbered(decision.events, start=book.position + 1):
        book = book_fold.apply(book, event)
    return book


def _bodies(decision: Decision) -> list[str | None]:
    return [event.WhichOneof("body") for event in decision.events]


@pytest.mark.parametrize(
    ("command", "events", "bodies"),
    [
        (jobs.pause, [HERE, QUEUED, LEASED], ["pause_requested"]),
        (jobs.pause, [HERE, QUEUED, LEASED, PAUSE], []),
        (jobs.pause, [HERE, QUEUED, LEASED, PAUSED], []),
        (jobs.pause, [QUEUED], ["pause_requested", "job_paused"]),
        (jobs.pause, [HERE, QUEUED, LEASED, INTERRUPTED], ["pause_requested", "job_paused"]),
        (jobs.resume, [HERE, QUEUED, LEASED, PAUSED], ["resume_requested"]),
        (jobs.resume, [HERE, QUEUED, LEASED, STOPPED], ["resume_requested"]),
        (jobs.resume, [HERE, QUEUED, LEASED], []),
        (jobs.stop, [HERE, QUEUED, LEASED], ["stop_requested"]),
        (jobs.stop, [QUEUED], []),
        (jobs.stop, [HERE, QUEUED, LEASED, MAKE_ROOM], ["stop_requested"]),
        (jobs.pause, [HERE, QUEUED, LEASED, MAKE_ROOM], ["pause_requested"]),
        (jobs.cancel, [HERE, QUEUED, LEASED], ["cancel_requested"]),
        (jobs.cancel, [HERE, QUEUED, LEASED, PAUSE], ["cancel_requested"]),
        (jobs.cancel, [HERE, QUEUED, LEASED, PAUSED], ["job_cancelled"]),
        (jobs.cancel, [QUEUED], ["job_cancelled"]),
        (jobs.cancel, [HERE, QUEUED, LEASED, INTERRUPTED], ["job_cancelled"]),
        (jobs.skip, [HERE, QUEUED, LEASED], ["batch_skip_requested"]),
        (jobs.snapshot, [HERE, QUEUED, LEASED], ["snapshot_requested"]),
    ],
)
def test_what_a_command_leads_to(command: Command, events: list[Event], bodies: list[str]) -> None:
    book = _book(*events)
    decision = command(book, "a")
    assert _bodies(decision) == bodies
    assert decision.message
    again = command(_after(book, decision), "a")
    assert again.events == () or not bodies


@pytest.mark.parametrize(
    ("command", "events", "why"),
    [
        (jobs.pause, [HERE, QUEUED, LEASED, COMPLETED], "has completed"),
        (jobs.resume, [HERE, QUEUED, LEASED, COMPLETED], "has completed"),
        (jobs.resume, [HERE, QUEUED, LEASED, PAUSE], "has not answered yet"),
        (jobs.stop, [HERE, QUEUED, LEASED, COMPLETED], "has completed"),
        (jobs.snapshot, [QUEUED], "only a running job"),
        (jobs.skip, [QUEUED], "only a running job"),
        (jobs.cancel, [HERE, QUEUED, LEASED, COMPLETED], "has completed"),
        (jobs.pause, [HERE, QUEUED, LEASED, CANCEL], "is being cancelled"),
        (jobs.stop, [HERE, QUEUED, LEASED, CANCEL], "is being cancelled"),
        (jobs.resume, [QUEUED, CANCELLED], "was cancelled"),
    ],
)
def test_why_a_command_is_refused(command: Command, events: list[Event], why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        command(_book(*events), "a")
    assert caught.value.hint


def _merge() -> Event:
    body = e.JobQueued(name="merge", dataset="d", consolidate="v1", config=e.TrainingConfig(snapshots=True))
    return Event(subject="job/a", job_queued=body)


def test_a_merge_that_is_under_way_takes_no_request_that_it_could_not_obey() -> None:
    for command in (jobs.pause, jobs.stop, jobs.cancel):
        with pytest.raises(Refused, match="a merge can't be") as caught:
            command(_book(HERE, _merge(), LEASED), "a")
        assert "`guessbook abort` ends it" in caught.value.hint
    for command in (jobs.skip, jobs.snapshot):
        with pytest.raises(Refused, match="trains nothing"):
            command(_book(HERE, _merge(), LEASED), "a")
    assert _bodies(jobs.pause(_book(_merge()), "a")) == ["pause_requested", "job_paused"]
    assert _bodies(jobs.cancel(_book(HERE, _merge(), LEASED, INTERRUPTED), "a")) == ["job_cancelled"]
    off = Event(subject="queue", queue_changed=e.QueueChanged(to=e.QUEUE_STATE_OFF))
    back = trainers.connected(_book(HERE, _merge(), LEASED, INTERRUPTED, off), "t", e.TrainerConnected(epoch=1))
    assert [event.WhichOneof("body") for event in back] == ["job_leased"]


@pytest.mark.parametrize("command", [jobs.pause, jobs.resume, jobs.stop, jobs.cancel, jobs.skip, jobs.snapshot])
def test_a_command_finds_its_job_or_says_so(command: Command) -> None:
    with pytest.raises(Missing, match="no job b"):
        command(_book(QUEUED), "b")
    with pytest.raises(Refused, match="no job is"):
        command(_book(QUEUED), "")


def test_without_a_name_the_one_that_waits_for_resume_is_meant() -> None:
    assert jobs.resume(_book(HERE, QUEUED, LEASED, PAUSED), "").job == "a"
    assert jobs.resume(_book(HERE, QUEUED, LEASED, STOPPED), "").job == "a"


def test_a_command_to_a_trainer_that_is_away_says_so() -> None:
    gone = Event(subject="trainer/t", trainer_lost=e.TrainerLost(epoch=1))
    assert "trainer is away" in jobs.pause(_book(HERE, QUEUED, LEASED, gone), "a").message


SCHEDULED = Event(
    subject="job/a",
    job_queued=e.JobQueued(
        name="a.jsonl", dataset="d", config=config_rules.complete(e.TrainingConfig(snapshot_steps=[5, 9]), "some/model")
    ),
)


def test_a_change_of_the_schedule_leaves_what_is_not_asked_for() -> None:
    book = _book(HERE, SCHEDULED, LEASED)
    decision = jobs.change_schedule(book, ChangeScheduleRequest(snapshot_budget_percent=5))
    (event,) = decision.events
    told = e.ScheduleChanged(snapshots=True, snapshot_steps=[5, 9], snapshot_budget_percent=5)
    assert event.schedule_changed == told
    assert "at the next step" in decision.message
    config = _after(book, decision).jobs.jobs["a"].config
    assert (list(config.snapshot_steps), config.snapshot_budget_percent) == ([5, 9], 5)
    assert config.lora_r == 16


def test_the_steps_of_a_schedule_are_replaced_or_those_of_the_default() -> None:
    book = _book(HERE, SCHEDULED, LEASED)
    (event,) = jobs.change_schedule(book, ChangeScheduleRequest(snapshot_steps=[7, 3, 7], snapshots=False)).events
    assert event.schedule_changed == e.ScheduleChanged(snapshots=False, snapshot_steps=[3, 7])
    (event,) = jobs.change_schedule(book, ChangeScheduleRequest(default_steps=True)).events
    assert event.schedule_changed == e.ScheduleChanged(snapshots=True)


def test_a_schedule_can_be_changed_before_a_job_runs_but_not_when_it_is_over() -> None:
    change = ChangeScheduleRequest(job="a", snapshot_steps=[1])
    assert "when it trains" in jobs.change_schedule(_book(SCHEDULED), change).message
    with pytest.raises(Refused, match="has completed; it can't be changed"):
        jobs.change_schedule(_book(HERE, SCHEDULED, LEASED, COMPLETED), change)
    with pytest.raises(Refused, match="no job is running"):
        jobs.change_schedule(_book(SCHEDULED), ChangeScheduleRequest(snapshot_steps=[1]))


def test_a_change_that_changes_nothing_is_no_event_and_one_out_of_bounds_is_refused() -> None:
    book = _book(HERE, SCHEDULED, LEASED)
    assert not jobs.change_schedule(book, ChangeScheduleRequest(snapshot_steps=[9, 5])).events
    with pytest.raises(Invalid, match="snapshot_budget_percent is -1"):
        jobs.change_schedule(book, ChangeScheduleRequest(snapshot_budget_percent=-1))
    with pytest.raises(Invalid, match="both"):
        jobs.change_schedule(book, ChangeScheduleRequest(snapshot_steps=[1], default_steps=True))


def test_a_lease_goes_to_one_and_asking_again_gives_the_same() -> None:
    book = _book(HERE, QUEUED)
    first = leases.lease(book, "t", 1)
    assert _bodies(first) == ["job_leased"]
    book = _after(book, first)
    assert leases.lease(book, "t", 1) == Decision("a", "a.jsonl is yours already.")
    other = _after(book, Decision("", "", trainers.connected(book, "u", e.TrainerConnected(epoch=1))))
    assert leases.lease(other, "u", 1).job == ""
    with pytest.raises(Superseded):
        leases.lease(book, "t", 2)


def test_a_stopped_job_is_not_leased_again_at_once() -> None:
    book = _book(HERE, QUEUED, LEASED, STOPPED)
    assert leases.lease(book, "t", 1).job == ""
    assert leases.lease(_after(book, jobs.resume(book, "a")), "t", 1).job == "a"


def test_what_was_asked_too_late_for_the_trainer_is_answered_before_the_next_lease() -> None:
    stop = Event(subject="job/a", stop_requested=e.StopRequested())
    stopped = Event(subject="job/a", job_stopped=e.JobStopped(step=4), causation=4)
    book = _book(HERE, QUEUED, LEASED, stop, CANCEL, stopped)
    assert book.jobs.jobs["a"].pending == "cancel"
    decision = leases.lease(book, "t", 1)
    assert (decision.job, _bodies(decision)) == ("", ["job_cancelled"])
    assert decision.events[0].causation == 5
    assert _after(book, decision).jobs.jobs["a"].state == h.JOB_STATE_CANCELLED


def test_a_job_waits_for_others_that_there_are_and_that_can_still_be_completed() -> None:
    second = e.JobQueued(name="b", dataset="d", after=["a", "a"])
    decision = jobs.submit(_book(QUEUED), 0, second)
    assert decision.events[0].job_queued.after == ["a"]
    with pytest.raises(Missing, match="no job a"):
        jobs.submit(Book(), 0, second)
    with pytest.raises(Refused, match="was cancelled; a job that waits for it would never run"):
        jobs.submit(_book(QUEUED, CANCELLED), 0, second)


def test_a_job_that_waits_for_another_is_leased_after_it() -> None:
    after = Event(
        subject="job/b", job_queued=e.JobQueued(name="b", dataset="d", after=["a"], priority=e.PRIORITY_URGENT)
    )
    book = _book(HERE, QUEUED, after)
    first = leases.lease(book, "t", 1)
    assert first.job == "a"
    book = _after(_after(book, first), Decision("", "", [COMPLETED]))
    assert leases.lease(book, "t", 1).job == "b"


def test_jobs_of_one_second_get_names_of_their_own() -> None:
    book = Book()
    names = []
    for _ in range(3):
        decision = jobs.submit(book, 1_800_000_000_000_000, e.JobQueued(name="x", dataset="d"))
        names.append(decision.job)
        book = _after(book, decision)
    assert names == ["train_20270115_080000", "train_20270115_080000_2", "train_20270115_080000_3"]
    assert book.jobs.jobs[names[0]].priority == e.PRIORITY_NORMAL


def test_a_trainer_started_anew_frees_the_job_of_its_older_process() -> None:
    book = _book(HERE, QUEUED, LEASED)
    events = trainers.connected(book, "t", e.TrainerConnected(epoch=2))
    assert [event.WhichOneof("body") for event in events] == ["trainer_connected", "job_interrupted"]


def test_a_trainer_that_was_only_cut_off_gets_its_job_back() -> None:
    book = _book(HERE, QUEUED, LEASED)
    lost = trainers.lost(book, "t", 1, "its stream ended")
    assert [event.WhichOneof("body") for event in lost] == ["trainer_lost", "job_interrupted"]
    book = _after(book, Decision("", "", lost))
    back = trainers.connected(book, "t", e.TrainerConnected(epoch=1))
    assert [event.WhichOneof("body") for event in back] == ["trainer_connected", "job_leased"]
    assert trainers.lost(_after(book, Decision("", "", back)), "t", 7, "an old story") == []


def test_a_job_that_was_cancelled_while_its_trainer_was_away_is_not_its_any_more() -> None:
    book = _book(HERE, QUEUED, LEASED, CANCEL)
    lost = trainers.lost(book, "t", 1, "its stream ended")
    assert [event.WhichOneof("body") for event in lost] == ["trainer_lost", "job_interrupted", "job_cancelled"]
    book = _after(book, Decision("", "", lost))
    back = trainers.connected(book, "t", e.TrainerConnected(epoch=1))
    assert [event.WhichOneof("body") for event in back] == ["trainer_connected"]
    with pytest.raises(Superseded, match="was cancelled"):
        _admit(book, "t", 1, COMPLETED)


def test_a_trainer_that_comes_back_while_the_queue_is_off_is_asked_to_stop() -> None:
    off = Event(subject="queue", queue_changed=e.QueueChanged(to=e.QUEUE_STATE_OFF))
    back = trainers.connected(_book(HERE, QUEUED, LEASED, INTERRUPTED, off), "t", e.TrainerConnected(epoch=1))
    assert [event.WhichOneof("body") for event in back] == ["job_leased", "stop_requested"]
    assert back[1].stop_requested.keep_place


def _admit(book: Book, producer: str, epoch: int, event: Event) -> None:
    trainers.admit(book, producer, epoch, [event], [event.subject])


def test_what_a_producer_may_say() -> None:
    book = _book(HERE, QUEUED, LEASED)
    mine = Event(subject="run/run-0001", step_completed=e.StepCompleted(step=1))
    _admit(book, "t", 1, mine)
    with pytest.raises(Superseded, match="belongs to trainer t"):
        _admit(book, "u", 1, mine)
    with pytest.raises(Superseded):
        _admit(book, "t", 2, mine)
    with pytest.raises(Superseded, match="not leased to anybody"):
        _admit(_book(HERE, QUEUED), "t", 1, COMPLETED)
    for forbidden in (QUEUED, Event(subject="job/a")):
        with pytest.raises(Forbidden, match="may not append"):
            _admit(book, "t", 1, forbidden)
