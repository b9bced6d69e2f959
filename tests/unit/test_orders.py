import threading

from guessbook.proto.events_pb2 import (
    BatchSkipRequested,
    CancelRequested,
    Event,
    JobPaused,
    JobStopped,
    PauseRequested,
    ResumeRequested,
    ScheduleChanged,
    SnapshotRequested,
    StopRequested,
)
from guessbook.proto.history_pb2 import Job
from guessbook.trainer.orders import Ending, Orders


def test_nothing_is_asked_at_first() -> None:
    orders = Orders(Job(), threading.Event())
    assert orders.ending() is None
    assert orders.take_snapshot() is None
    assert orders.take_skip() is None


def test_what_was_asked_before_the_lease_comes_with_the_job() -> None:
    assert Orders(Job(pending="pause", pending_position=7), threading.Event()).ending() == (Ending.PAUSED, 7)
    assert Orders(Job(pending="stop", pending_position=8), threading.Event()).ending() == (Ending.STOPPED, 8)
    cancelled = Orders(Job(pending="cancel", pending_position=9), threading.Event())
    assert cancelled.ending() == (Ending.CANCELLED, 9)
    assert Orders(Job(snapshot_pending=True), threading.Event()).take_snapshot() == 0
    assert Orders(Job(skip_pending=True), threading.Event()).take_skip() == 0


def test_requests_carry_the_position_of_their_event() -> None:
    orders = Orders(Job(), threading.Event())
    orders.apply(Event(position=11, snapshot_requested=SnapshotRequested()))
    assert orders.take_snapshot() == 11
    assert orders.take_snapshot() is None
    orders.apply(Event(position=12, stop_requested=StopRequested()))
    assert orders.ending() == (Ending.STOPPED, 12)
    orders.apply(Event(position=13, pause_requested=PauseRequested()))
    assert orders.ending() == (Ending.PAUSED, 13)


def test_a_skip_is_taken_once() -> None:
    orders = Orders(Job(), threading.Event())
    orders.apply(Event(position=4, batch_skip_requested=BatchSkipRequested()))
    assert orders.ending() is None
    assert orders.take_skip() == 4
    assert orders.take_skip() is None


def test_of_requests_to_end_the_last_one_counts() -> None:
    orders = Orders(Job(pending="pause", pending_position=2), threading.Event())
    orders.apply(Event(position=3, cancel_requested=CancelRequested()))
    assert orders.ending() == (Ending.CANCELLED, 3)
    orders.apply(Event(position=4, stop_requested=StopRequested(preempted_by="urgent", keep_place=True)))
    assert orders.ending() == (Ending.STOPPED, 4)


def test_resume_takes_a_request_back() -> None:
    orders = Orders(Job(), threading.Event())
    orders.apply(Event(position=3, pause_requested=PauseRequested()))
    orders.apply(Event(position=4, resume_requested=ResumeRequested()))
    assert orders.ending() is None


def test_what_the_server_answered_while_the_trainer_was_away_lets_go_of_the_job_even_if_it_was_resumed() -> None:
    pause, stop = Event(pause_requested=PauseRequested()), Event(stop_requested=StopRequested())
    paused, stopped = Event(job_paused=JobPaused()), Event(job_stopped=JobStopped())
    for request, answer, ending in ((pause, paused, Ending.PAUSED), (stop, stopped, Ending.STOPPED)):
        orders = Orders(Job(), threading.Event())
        for position, event in enumerate((request, answer, Event(resume_requested=ResumeRequested())), start=3):
            event.position = position
            orders.apply(event)
        assert orders.ending() == (ending, 3)


def test_a_trainer_that_is_told_to_exit_answers_a_pause_first() -> None:
    leaving = threading.Event()
    orders = Orders(Job(), leaving)
    leaving.set()
    assert orders.ending() == (Ending.LEFT, 0)
    orders.apply(Event(position=3, pause_requested=PauseRequested()))
    assert orders.ending() == (Ending.PAUSED, 3)


def test_the_last_change_of_the_schedule_counts() -> None:
    orders = Orders(Job(), threading.Event())
    assert not orders.schedule
    for steps in ([5], [7, 9]):
        orders.apply(Event(schedule_changed=ScheduleChanged(snapshots=True, snapshot_steps=steps)))
    assert orders.schedule == ScheduleChanged(snapshots=True, snapshot_steps=[7, 9])
