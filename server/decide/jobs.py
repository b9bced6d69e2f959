"""What may be asked of one job: to be queued, to pause, to go on, to stop, to be cancelled, to skip, to look. Knows no order and no trainers' rights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.names import job_state
from guessbook.proto.control_pb2 import ChangeScheduleRequest, SubmitJobRequest
from guessbook.proto.events_pb2 import (
    BatchSkipRequested,
    CancelRequested,
    Event,
    JobCancelled,
    JobPaused,
    JobQueued,
    JobStopped,
    PauseRequested,
    Priority,
    ResumeRequested,
    ScheduleChanged,
    SnapshotRequested,
    StopRequested,
    TrainingConfig,
)
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    Job,
    JobState,
)
from guessbook.server.decide import config as config_rules
from guessbook.server.decide import preemption
from guessbook.server.decide.rejection import Invalid, Missing, Refused

_ENDED = {
    JOB_STATE_COMPLETED: "has completed",
    JOB_STATE_FAILED: "has failed",
    JOB_STATE_CANCELLED: "was cancelled",
}


@dataclass(frozen=True)
class Decision:
    """Events to append, perhaps none, and what to tell whoever asked."""

    job: str
    message: str
    events: Sequence[Event] = field(default_factory=tuple)


def asked(request: SubmitJobRequest, config: TrainingConfig) -> JobQueued:
    """What a request asks for, as the log will hold it. `config`: the request's, complete."""
    return JobQueued(
        name=request.name,
        dataset=request.dataset,
        priority=request.priority,
        config=config,
        after=request.after,
        needs=request.needs if request.HasField("needs") else None,
        preempt=request.preempt,
    )


def submit(book: Book, now_us: int, wanted: JobQueued) -> Decision:
    """A new job, as it is wanted; its config must be complete. Raises Missing, Refused for jobs that it can't wait for."""
    identity = base = f"train_{datetime.fromtimestamp(now_us / 1e6, tz=UTC):%Y%m%d_%H%M%S}"
    number = 1
    while identity in book.jobs.jobs:
        number += 1
        identity = f"{base}_{number}"
    body = JobQueued()
    body.CopyFrom(wanted)
    body.priority = wanted.priority or Priority.PRIORITY_NORMAL
    body.after[:] = dict.fromkeys(wanted.after)
    for name in body.after:
        _refuse_never(find(book, name))
    events = [Event(subject=f"job/{identity}", job_queued=body)]
    message = f"{body.name} is queued as {identity}."
    if body.preempt:
        told, stops = preemption.make_room(book, preemption.newcomer(identity, body))
        message, events = f"{message} {told}", events + stops
    return Decision(identity, message, events)


def pause(book: Book, name: str) -> Decision:
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    _refuse_external(job, "paused")
    _refuse_merging(job, "paused")
    subject = f"job/{job.id}"
    request = Event(subject=subject, pause_requested=PauseRequested())
    if job.state == JOB_STATE_PAUSED:
        return Decision(job.id, f"{job.name} is paused already, at step {job.checkpoint_step}.")
    if job.state == JOB_STATE_ACTIVE and job.pending == "pause":
        return Decision(job.id, f"{job.name} was asked to pause already; {_when(book, job)}.")
    refuse_ended(job, "paused")
    _refuse_cancelling(job, "paused")
    if job.state != JOB_STATE_ACTIVE:
        paused = Event(subject=subject, job_paused=JobPaused(step=job.checkpoint_step))
        return Decision(job.id, f"{job.name} was not running and is paused now.", [request, paused])
    return Decision(job.id, f"{job.name} will pause: {_when(book, job)}.", [request])


def resume(book: Book, name: str) -> Decision:
    job = _resumable(book, name)
    _refuse_external(job, "resumed")
    if job.pending:
        raise Refused(f"{job.name} was asked to {job.pending} and has not answered yet", "Resume it when it has.")
    if job.state == JOB_STATE_PAUSED or job.held:
        event = Event(subject=f"job/{job.id}", resume_requested=ResumeRequested())
        return Decision(
            job.id, f"{job.name} is back in the queue; it goes on after step {job.checkpoint_step}.", [event]
        )
    refuse_ended(job, "resumed")
    return Decision(job.id, f"{job.name} is not paused; it is {job_state(job.state)}.")


def stop(book: Book, name: str) -> Decision:
    """By hand: it goes behind its equals, where a stop that makes room for another job would leave it its place."""
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    _refuse_merging(job, "stopped")
    if job.pending == "stop" and not job.keep_place:
        return Decision(job.id, f"{job.name} was asked to stop already; {_when(book, job)}.")
    refuse_ended(job, "stopped")
    _refuse_cancelling(job, "stopped")
    if job.state != JOB_STATE_ACTIVE:
        return Decision(job.id, f"{job.name} is not running; it is {job_state(job.state)}.")
    event = Event(subject=f"job/{job.id}", stop_requested=StopRequested())
    then = "end" if job.external else "stop and go back into the queue"
    return Decision(job.id, f"{job.name} will {then}: {_when(book, job)}.", [event])


def cancel(book: Book, name: str) -> Decision:
    """What a job has trained is kept: its checkpoints, its run and its dataset."""
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    if job.state == JOB_STATE_CANCELLED:
        return Decision(job.id, f"{job.name} is cancelled already.")
    refuse_ended(job, "cancelled")
    _refuse_merging(job, "cancelled")
    if job.state != JOB_STATE_ACTIVE:
        event = Event(subject=f"job/{job.id}", job_cancelled=JobCancelled(step=job.checkpoint_step))
        return Decision(job.id, f"{job.name} is cancelled; what it has trained is kept.", [event])
    if job.pending == "cancel":
        return Decision(job.id, f"{job.name} was cancelled already; {_when(book, job)}.")
    event = Event(subject=f"job/{job.id}", cancel_requested=CancelRequested())
    return Decision(job.id, f"{job.name} will save a checkpoint and end: {_when(book, job)}.", [event])


def skip(book: Book, name: str) -> Decision:
    """The batch that is trained now, or the next one to begin, contributes no update."""
    job = _running(book, name, "skip a batch")
    _refuse_external(job, "made to skip a batch")
    _refuse_untrained(job, "no batch to skip")
    if job.skip_pending:
        return Decision(job.id, f"{job.name} was asked to skip a batch already; {_when(book, job)}.")
    event = Event(subject=f"job/{job.id}", batch_skip_requested=BatchSkipRequested())
    return Decision(job.id, f"{job.name} will leave a batch out: {_when(book, job)}.", [event])


def snapshot(book: Book, name: str) -> Decision:
    job = _running(book, name, "take a snapshot")
    _refuse_untrained(job, "no model to look at")
    if not job.config.snapshots:
        raise Refused(f"{job.name} trains without snapshots", "`guessbook schedule --snapshots` turns them on.")
    if job.snapshot_pending:
        return Decision(job.id, f"{job.name} was asked for a snapshot already; {_when(book, job)}.")
    event = Event(subject=f"job/{job.id}", snapshot_requested=SnapshotRequested())
    return Decision(job.id, f"{job.name} will take a snapshot: {_when(book, job)}.", [event])


def change_schedule(book: Book, asked: ChangeScheduleRequest) -> Decision:
    """Raises Invalid for a value out of its bounds. What isn't asked for stays as it is."""
    job = _named(book, asked.job, JOB_STATE_ACTIVE, "running")
    refuse_ended(job, "changed")
    if asked.default_steps and asked.snapshot_steps:
        raise Invalid("both steps of its own and the default steps are asked for", "Ask for one of them.")
    config = TrainingConfig()
    config.CopyFrom(job.config)
    for name in ("snapshots", "snapshot_budget_percent", "snapshot_budget_seconds"):
        if asked.HasField(name):
            setattr(config, name, getattr(asked, name))
    if asked.default_steps or asked.snapshot_steps:
        config.snapshot_steps[:] = sorted(set(asked.snapshot_steps))
    config_rules.check(config, ("snapshot_budget_percent", "snapshot_budget_seconds"))
    if config == job.config:
        return Decision(job.id, f"{job.name} has this schedule already.")
    changed = ScheduleChanged(
        snapshots=config.snapshots,
        snapshot_steps=config.snapshot_steps,
        snapshot_budget_percent=config.snapshot_budget_percent,
        snapshot_budget_seconds=config.snapshot_budget_seconds,
    )
    when = _when(book, job) if job.state == JOB_STATE_ACTIVE else "when it trains"
    event = Event(subject=f"job/{job.id}", schedule_changed=changed)
    return Decision(job.id, f"{job.name} will take its snapshots by the new schedule: {when}.", [event])


def answer(job: Job) -> Event:
    """To what was asked of a job last, in the place of a trainer that has it no more. It tells of the last checkpoint."""
    event = Event(subject=f"job/{job.id}", causation=job.pending_position)
    match job.pending:
        case "pause":
            event.job_paused.CopyFrom(JobPaused(step=job.checkpoint_step))
        case "stop":
            event.job_stopped.CopyFrom(JobStopped(step=job.checkpoint_step))
        case "cancel":
            event.job_cancelled.CopyFrom(JobCancelled(step=job.checkpoint_step))
        case other:
            raise ValueError(f"nobody answers {other!r}")
    return event


def find(book: Book, name: str) -> Job:
    """The job of that id. Raises Missing."""
    job = book.jobs.jobs.get(name)
    if job is None:
        raise Missing(f"there is no job {name}", "`guessbook queue` lists them.")
    return job


def refuse_ended(job: Job, done: str) -> None:
    if job.state in _ENDED:
        raise Refused(f"{job.name} {_ENDED[job.state]}; it can't be {done}", "Submit its file again for a new run.")


def _when(book: Book, job: Job) -> str:
    trainer = book.jobs.trainers.get(job.trainer)
    if trainer and trainer.connected:
        return "at the next step"
    return "its trainer is away, the request waits for it"


def _named(book: Book, name: str, default: "JobState.ValueType", meaning: str) -> Job:
    """The job of that id, or with no name the one that is in the default state."""
    if name:
        return find(book, name)
    candidates = list(job_fold.in_state(book.jobs, default))
    if not candidates:
        raise Refused(f"no job is {meaning}", "`guessbook queue` shows what there is.")
    if len(candidates) > 1:
        names = ", ".join(job.id for job in candidates)
        raise Refused(f"{len(candidates)} jobs are {meaning}", f"Say which: {names}.")
    return candidates[0]


def _running(book: Book, name: str, able: str) -> Job:
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    if job.state != JOB_STATE_ACTIVE:
        raise Refused(
            f"{job.name} is {job_state(job.state)}; only a running job can {able}",
            "Resume it, or wait for its turn.",
        )
    return job


def _resumable(book: Book, name: str) -> Job:
    if name:
        return find(book, name)
    held = [job for job in queue.order(book.jobs) if job.held]
    if not any(job_fold.in_state(book.jobs, JOB_STATE_PAUSED)) and len(held) == 1:
        return held[0]
    return _named(book, "", JOB_STATE_PAUSED, "paused")


def _refuse_external(job: Job, done: str) -> None:
    if job.external:
        raise Refused(
            f"{job.name} is trained by a program of its own; it can't be {done} from here",
            "It takes snapshots and can be stopped; to train again, run that program again.",
        )


def _refuse_untrained(job: Job, lacks: str) -> None:
    if job.consolidate:
        raise Refused(f"{job.name} trains nothing: it merges a version", f"There is {lacks}.")


def _refuse_merging(job: Job, done: str) -> None:
    """One that waits is like any other; what is half merged can't be kept, and a trainer doesn't listen before it is through."""
    if job.consolidate and job.state == JOB_STATE_ACTIVE:
        raise Refused(
            f"{job.name} is under way; a merge can't be {done}",
            "It goes on to its end. To be rid of it: `guessbook abort` ends it, with the operation that `guessbook audit` lists.",
        )


def _refuse_cancelling(job: Job, done: str) -> None:
    if job.pending == "cancel":
        raise Refused(f"{job.name} is being cancelled; it can't be {done}", "What it has trained is kept.")


def _refuse_never(job: Job) -> None:
    if job.state in (JOB_STATE_FAILED, JOB_STATE_CANCELLED):
        raise Refused(
            f"job {job.id} {_ENDED[job.state]}; a job that waits for it would never run",
            "Nothing was queued. Name the job that takes its place, or none.",
        )
