"""When each job starts and ends, and why it has to wait: queues computed by hand."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_events import numbered, snapshot

from guessbook.projections import queue
from guessbook.projections.book import Book, fold
from guessbook.projections.outlook import explain
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import (
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    PRIORITY_URGENT,
    QUEUE_STATE_OFF,
    QUEUE_STATE_ON,
    QUEUE_STATE_PAUSED,
    Event,
    Needs,
    Priority,
    TrainingConfig,
)
from guessbook.proto.history_pb2 import JobOutlook

NOW_S = 1_000_000
PRIORITIES = (PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_URGENT)
STEP_S = 2.0  # that a step of the measured run takes
# 24 examples are 6 steps of 4; without snapshots a job takes 12 s at that pace.
EXAMPLES = 24
CONFIG = TrainingConfig(
    base_model="m",
    dtype="float32",
    per_device_train_batch_size=4,
    gradient_accumulation_steps=1,
    num_train_epochs=1.0,
    max_length=64,
    snapshots=False,
)
WORK_S = 12.0


def asked(**changed: object) -> TrainingConfig:
    config = TrainingConfig()
    config.CopyFrom(CONFIG)
    config.MergeFrom(TrainingConfig(**changed))  # type: ignore[arg-type]
    return config


def dataset() -> Event:
    return Event(subject="dataset/d", dataset_registered=e.DatasetRegistered(name="d", sha256="d", examples=EXAMPLES))


def connected(name: str = "box", *memory_gb: int) -> Event:
    devices = [e.Device(name="gpu", memory_bytes=size * 10**9) for size in memory_gb]
    return Event(subject=f"trainer/{name}", trainer_connected=e.TrainerConnected(epoch=1, devices=devices))


def queued(
    name: str,
    priority: Priority.ValueType = PRIORITY_NORMAL,
    config: TrainingConfig = CONFIG,
    after: Sequence[str] = (),
    needs: Needs | None = None,
) -> Event:
    body = e.JobQueued(name=name, dataset="d", priority=priority, config=config, after=after, needs=needs)
    return Event(subject=f"job/{name}", job_queued=body)


def leased(name: str, run: str, trainer: str = "box") -> Event:
    return Event(subject=f"job/{name}", job_leased=e.JobLeased(trainer=trainer, epoch=1, run=run))


def trained(
    name: str, run: str, steps: int, total: int = 6, config: TrainingConfig = CONFIG, step_s: float = STEP_S
) -> list[Event]:
    """A run up to a step."""
    subject = f"run/{run}"
    start = e.RunStarted(
        job=name, dataset="d", config=config, total_steps=total, examples=EXAMPLES, tracked=range(EXAMPLES)
    )
    events = [Event(subject=subject, run_started=start, occurred_at_us=1_000_000)]
    for number in range(1, steps + 1):
        at_us = 1_000_000 + round(number * step_s * 1e6)
        body = e.StepCompleted(step=number, loss=1.0)
        events.append(Event(subject=subject, step_completed=body, occurred_at_us=at_us))
    return [*events, Event(subject=f"job/{name}", job_started=e.JobStarted(run=run))]


def measured() -> list[Event]:
    """A finished job with 2 s a step, and a trainer that is free."""
    done = Event(subject="job/first", job_completed=e.JobCompleted(step=6))
    return [
        dataset(),
        connected(),
        queued("first"),
        leased("first", "run-0001"),
        *trained("first", "run-0001", 6),
        done,
    ]


def outlook(events: Iterable[Event]) -> dict[str, JobOutlook]:
    return {one.job: one for one in explain(fold(numbered(events), Book()), NOW_S * 1_000_000).jobs}


def times(one: JobOutlook) -> tuple[float, float]:
    """Start and end in seconds from now."""
    return one.starts_at_us / 1e6 - NOW_S, one.ends_at_us / 1e6 - NOW_S


def test_jobs_follow_each_other_in_the_order_of_the_queue() -> None:
    jobs = outlook([*measured(), queued("a"), queued("b"), queued("c", PRIORITY_URGENT)])
    assert list(jobs) == ["c", "a", "b"]
    assert [times(one) for one in jobs.values()] == [(0, 12), (12, 24), (24, 36)]
    assert [one.why for one in jobs.values()] == [
        "next: box takes it now",
        "behind 1 urgent job",
        "behind 1 urgent and 1 normal jobs",
    ]
    assert jobs["a"].basis == "the pace of run-0001, 2 s a step"
    assert jobs["a"].trainer == "box"


def test_the_end_of_the_queue_is_that_of_its_last_job() -> None:
    answer = explain(fold(numbered([*measured(), queued("a"), queued("b")])), NOW_S * 1_000_000)
    assert answer.ends_at_us / 1e6 - NOW_S == 24
    assert answer.state == QUEUE_STATE_ON
    unknown = [*measured(), queued("a"), queued("b", config=asked(base_model="another"))]
    assert explain(fold(numbered(unknown)), NOW_S).ends_at_us == 0


def test_a_running_jobs_own_pace_wins_and_moves_those_behind_it() -> None:
    slower = trained("a", "run-0002", 2, step_s=5.0)
    jobs = outlook([*measured(), queued("a"), leased("a", "run-0002"), *slower, queued("b")])
    assert jobs["a"].why == "runs on box: step 2 of 6"
    assert jobs["a"].basis == "its own pace, 5 s a step"
    assert jobs["a"].ends_at_us / 1e6 - NOW_S == 4 * 5.0
    assert jobs["b"].why == "next: box takes it when a is done"
    assert times(jobs["b"]) == (20, 20 + 6 * 5.0)  # the newest run's pace


def test_another_batch_is_scaled_and_another_model_is_not_known() -> None:
    twice = asked(per_device_train_batch_size=8)  # 3 steps of 4 s
    jobs = outlook([*measured(), queued("a", config=twice), queued("b", config=asked(base_model="another"))])
    assert jobs["a"].seconds == 12
    assert jobs["a"].basis == "the pace of run-0001, 2 s a step, scaled from 4 to 8 examples a step"
    assert jobs["b"].seconds == 0
    assert jobs["b"].starts_at_us / 1e6 - NOW_S == 12
    assert jobs["b"].ends_at_us == 0
    assert jobs["b"].basis == "no run with this base model was measured yet"


def test_snapshots_take_their_time() -> None:
    """The first run's snapshot looked at 24 examples in 1 s (made_events). Steps 0, 3 and the end are 3 of them."""
    looked = [*trained("first", "run-0001", 6), *snapshot(6, [1.0] * EXAMPLES, [True] * EXAMPLES, run="run-0001")]
    beginning = [dataset(), connected(), queued("first"), leased("first", "run-0001"), *looked]
    done = Event(subject="job/first", job_completed=e.JobCompleted(step=6))
    config = asked(snapshots=True, snapshot_steps=[3, 99])
    jobs = outlook([*beginning, done, queued("a", config=config)])
    assert jobs["a"].seconds == WORK_S + 3
    capped = asked(snapshots=True, snapshot_steps=[3], snapshot_budget_seconds=2.0)
    assert outlook([*beginning, done, queued("a", config=capped)])["a"].seconds == WORK_S + 2


def test_two_trainers_work_off_one_queue() -> None:
    jobs = outlook([*measured(), connected("other"), queued("a"), queued("b"), queued("c")])
    assert [times(one) for one in jobs.values()] == [(0, 12), (0, 12), (12, 24)]
    assert {jobs["a"].trainer, jobs["b"].trainer} == {"box", "other"}


def test_a_job_waits_for_those_it_comes_after() -> None:
    jobs = outlook([*measured(), connected("other"), queued("a"), queued("b", after=["a"], priority=PRIORITY_HIGH)])
    assert times(jobs["b"]) == (12, 24)
    assert jobs["b"].why == "waits for a (after)"
    assert jobs["a"].why.startswith("next: ")


def test_a_job_that_comes_after_a_failed_one_never_runs_and_is_told_what_to_do() -> None:
    failed = Event(subject="job/a", job_failed=e.JobFailed(error="x"))
    jobs = outlook([*measured(), queued("a"), queued("b", after=["a"]), leased("a", "run-0002"), failed])
    assert jobs["b"].starts_at_us == 0
    assert "waits for a (after), which has failed and will never be completed: `guessbook cancel b`" in jobs["b"].why


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (Needs(devices=2), "needs 2 devices; trainer gpu has 1 of up to 24 GB"),
        (Needs(memory_bytes=80 * 10**9), "needs a device with 80 GB; trainer gpu has 1 of up to 24 GB"),
    ],
)
def test_what_no_trainer_has_is_said(needs: Needs, why: str) -> None:
    jobs = outlook([dataset(), connected("gpu", 24), queued("a", needs=needs), queued("b")])
    assert jobs["a"].why == why
    assert jobs["a"].starts_at_us == 0
    assert jobs["b"].why == "next: gpu takes it now"  # what can't run is not in the way


def test_a_job_goes_to_the_trainer_that_has_what_it_needs() -> None:
    needs = Needs(memory_bytes=40 * 10**9)
    jobs = outlook([*measured(), connected("small", 24), connected("large", 80), queued("a", needs=needs)])
    assert jobs["a"].trainer == "large"


def test_a_held_job_waits_until_another_had_its_turn() -> None:
    stopped = Event(subject="job/a", job_stopped=e.JobStopped(step=2))
    begun = [*measured(), queued("a"), leased("a", "run-0002"), *trained("a", "run-0002", 2), stopped]
    alone = outlook(begun)["a"]
    assert alone.why.startswith("held: it was stopped by hand")
    assert alone.starts_at_us == 0
    jobs = outlook([*begun, queued("b")])
    assert times(jobs["b"]) == (0, 12)
    assert times(jobs["a"]) == (12, 12 + 4 * STEP_S)


def test_a_paused_queue_begins_nothing_and_says_why() -> None:
    def switched(to: e.QueueState.ValueType) -> list[Event]:
        changed = e.QueueChanged(to=to, reason="the GPU is needed")
        return [*measured(), queued("a"), Event(subject="queue", queue_changed=changed)]

    paused = outlook(switched(QUEUE_STATE_PAUSED))["a"]
    assert paused.why == "the queue is paused: the GPU is needed; `guessbook queue on` lets it go on"
    assert (paused.starts_at_us, paused.seconds) == (0, WORK_S)
    assert outlook(switched(QUEUE_STATE_OFF))["a"].why.startswith("the queue is off: ")


def test_without_a_trainer_nothing_starts() -> None:
    lost = Event(subject="trainer/box", trainer_lost=e.TrainerLost(epoch=1))
    job = outlook([*measured(), lost, queued("a")])["a"]
    assert job.why == "no trainer is connected"
    assert job.starts_at_us == 0


def test_a_program_that_trains_its_own_job_takes_no_other() -> None:
    own = Event(subject="job/x", job_queued=e.JobQueued(name="x", dataset="d", config=CONFIG, external=True))
    jobs = outlook([*measured(), connected("script"), own, leased("x", "run-0002", "script"), queued("a"), queued("b")])
    assert [jobs[name].trainer for name in ("x", "a", "b")] == ["script", "box", "box"]


def test_a_job_that_makes_room_says_for_whom_and_goes_on_after_it() -> None:
    begun = [
        *measured(),
        queued("a"),
        leased("a", "run-0002"),
        *trained("a", "run-0002", 3),
        queued("b", PRIORITY_URGENT),
    ]
    stop = Event(subject="job/a", stop_requested=e.StopRequested(preempted_by="b", keep_place=True))
    asked_to = outlook([*begun, stop])
    assert asked_to["a"].why == "makes room for b at the next step, and goes on by itself afterwards"
    assert asked_to["b"].starts_at_us / 1e6 == NOW_S
    jobs = outlook([*begun, stop, Event(subject="job/a", job_stopped=e.JobStopped(step=3))])
    assert list(jobs) == ["b", "a"]
    assert jobs["a"].why == "behind 1 urgent job; it made room for b"
    assert times(jobs["a"]) == (12, 12 + 3 * STEP_S)


def test_an_interrupted_job_goes_on_first_from_its_checkpoint() -> None:
    saved = Event(subject="run/run-0002", checkpoint_saved=e.CheckpointSaved(step=2))
    lost = Event(subject="job/a", job_interrupted=e.JobInterrupted(trainer="box"))
    begun = [*measured(), queued("a"), leased("a", "run-0002"), *trained("a", "run-0002", 3), saved, lost]
    jobs = outlook([*begun, queued("b", PRIORITY_URGENT)])
    assert list(jobs) == ["a", "b"]
    assert jobs["a"].why == "next, since it was interrupted: box takes it now"
    assert times(jobs["a"]) == (0, 4 * STEP_S)
    assert jobs["b"].why == "behind 1 interrupted job"


WAITING = st.lists(
    st.tuples(st.sampled_from(PRIORITIES), st.integers(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=7
)


@given(WAITING)
def test_jobs_are_expected_in_the_order_in_which_a_trainer_gets_them(
    drawn: list[tuple[Priority.ValueType, int, bool, bool]],
) -> None:
    """Played with the queue's own rules: lease, complete, lease, until nothing is given any more."""
    events = measured()
    for number, (priority, before, large, stopped) in enumerate(drawn):
        name, run = f"job{number}", f"run-1{number}"
        after = [f"job{before}"] if before < number else []
        events.append(queued(name, priority, after=after, needs=Needs(devices=1) if large else None))
        if stopped and not after and not large:
            events += [leased(name, run), Event(subject=f"job/{name}", job_stopped=e.JobStopped())]
    book = fold(numbered(events))
    expected = [one for one in explain(book, 0).jobs if one.starts_at_us or one.ends_at_us]
    given_out = []
    while job := queue.next_for(book.jobs, book.jobs.trainers["box"]):
        given_out.append(job.id)
        done = Event(subject=f"job/{job.id}", job_completed=e.JobCompleted())
        fold(numbered([leased(job.id, f"run-2{len(given_out)}"), done], book.position + 1), book)
    assert [one.job for one in sorted(expected, key=lambda one: one.starts_at_us)] == given_out
