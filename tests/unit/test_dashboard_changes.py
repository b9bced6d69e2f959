"""Which parts of the page an event touches."""

from guessbook.clients.dashboard.changes import Change, change, touched_by
from guessbook.clients.reading import Answer
from guessbook.proto.events_pb2 import (
    Event,
    ExamplesObserved,
    JobCompleted,
    JobResumed,
    RunStarted,
    SnapshotCompleted,
    StepCompleted,
)


def step(number: int, position: int) -> Event:
    completed = StepCompleted(step=number, loss=1.5, example_index=[3, 4])
    return Event(position=position, subject="run/r1", step_completed=completed)


def test_a_step_touches_the_curves_and_the_examples_it_visited() -> None:
    assert touched_by(step(1, 9)) == {"steps:r1", "example:r1:3", "example:r1:4"}


def test_observations_touch_the_snapshots_of_their_run() -> None:
    for event in (
        Event(subject="run/r1", examples_observed=ExamplesObserved(step=1)),
        Event(subject="run/r1", snapshot_completed=SnapshotCompleted(step=1)),
    ):
        assert touched_by(event) == {"snapshots:r1"}


def test_a_start_and_a_resume_touch_the_whole_run() -> None:
    whole = {"jobs", "steps:r1", "snapshots:r1"}
    assert touched_by(Event(subject="run/r1", run_started=RunStarted(job="j1"))) == whole
    assert touched_by(Event(subject="job/j1", job_resumed=JobResumed(run="r1", step=4))) == whole


def test_every_other_event_touches_the_jobs() -> None:
    assert touched_by(Event(subject="job/j1", job_completed=JobCompleted())) == {"jobs"}
    quiet = {"step_completed", "examples_observed", "snapshot_started", "snapshot_completed", "snapshot_failed"}
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields:
        event = Event(subject="job/j1")
        getattr(event, field.name).SetInParent()
        assert ("jobs" in touched_by(event)) is (field.name not in quiet)


def test_an_answer_carries_the_newest_step() -> None:
    news = change(Answer([step(1, 9), step(2, 10)], head=12, next=13))
    assert news.position == 12
    assert news.step is not None
    assert (news.step["run"], news.step["step"], news.step["position"]) == ("r1", 2, 10)


def test_a_heartbeat_touches_nothing() -> None:
    assert change(Answer([], head=12, next=13)) == Change(12)


def test_two_changes_become_one() -> None:
    first = Change(3, frozenset(("jobs",)), {"step": 1})
    assert first.then(Change(4, frozenset(("steps:r1",)))) == Change(4, frozenset(("jobs", "steps:r1")), {"step": 1})
