"""What may be done with a job, and what happened then."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guessbook.projections import jobs as job_fold
from guessbook.projections.book import Book
from guessbook.projections.names import job_state
from guessbook.proto.control_pb2 import ChangeScheduleRequest
from guessbook.proto.events_pb2 import (
    Event,
    JobLeased,
    JobPaused,
    JobQueued,
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
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
    JobState,
)
from guessbook.server.decide import config as config_rules
from guessbook.server.decide.rejection import Invalid, Missing, Refused, Superseded


@dataclass(frozen=True)
class Decision:
    """Events to append, perhaps none, and what to tell whoever asked."""

    job: str
    message: str
    events: Sequence[Event] = field(default_factory=tuple)


def queue(
    book: Book,
    now_us: int,
    name: str,
    dataset: str,
    priority: "Priority.ValueType",
    config: TrainingConfig,
    *,
    external: bool = False,
) -> Decision:
    identity = base = f"train_{datetime.fromtimestamp(now_us / 1e6, tz=UTC):%Y%m%d_%H%M%S}"
    number = 1
    while identity in book.jobs.jobs:
        number += 1
        identity = f"{base}_{number}"
    priority = priority or Priority.PRIORITY_NORMAL
    body = JobQueued(name=name, dataset=dataset, priority=priority, config=config, external=external)
    return Decision(identity, f"{name} is queued as {identity}.", [Event(subject=f"job/{identity}", job_queued=body)])


def pause(book: Book, name: str) -> Decision:
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    _refuse_external(job, "paused")
    subject = f"job/{job.id}"
    request = Event(subject=subject, pause_requested=PauseRequested())
    if job.state == JOB_STATE_PAUSED:
        return Decision(job.id, f"{job.name} is paused already, at step {job.checkpoint_step}.")
    if job.pending == "pause":
        return Decision(job.id, f"{job.name} was asked to pause already; {_when(book, job)}.")
    if job.state in (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED):
        paused = Event(subject=subject, job_paused=JobPaused(step=job.checkpoint_step))
        return Decision(job.id, f"{job.name} was not running and is paused now.", [request, paused])
    _refuse_finished(job, "paused")
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
    _refuse_finished(job, "resumed")
    return Decision(job.id, f"{job.name} is not paused; it is {job_state(job.state)}.")


def stop(book: Book, name: str) -> Decision:
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    if job.pending == "stop":
        return Decision(job.id, f"{job.name} was asked to stop already; {_when(book, job)}.")
    _refuse_finished(job, "stopped")
    if job.state != JOB_STATE_ACTIVE:
        return Decision(job.id, f"{job.name} is not running; it is {job_state(job.state)}.")
    event = Event(subject=f"job/{job.id}", stop_requested=StopRequested())
    then = "end" if job.external else "stop and go back into the queue"
    return Decision(job.id, f"{job.name} will {then}: {_when(book, job)}.", [event])


def snapshot(book: Book, name: str) -> Decision:
    job = _named(book, name, JOB_STATE_ACTIVE, "running")
    if job.state != JOB_STATE_ACTIVE:
        raise Refused(
            f"{job.name} is {job_state(job.state)}; only a running job can take a snapshot",
            "Resume it, or wait for its turn.",
        )
    if not job.config.snapshots:
        raise Refused(f"{job.name} trains without snapshots", "`guessbook schedule --snapshots` turns them on.")
    if job.snapshot_pending:
        return Decision(job.id, f"{job.name} was asked for a snapshot already; {_when(book, job)}.")
    event = Event(subject=f"job/{job.id}", snapshot_requested=SnapshotRequested())
    return Decision(job.id, f"{job.name} will take a snapshot: {_when(book, job)}.", [event])


def change_schedule(book: Book, asked: ChangeScheduleRequest) -> Decision:
    """Raises Invalid for a value out of its bounds. What isn't asked for stays as it is."""
    job = _named(book, asked.job, JOB_STATE_ACTIVE, "running")
    _refuse_finished(job, "changed")
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


def lease(book: Book, trainer: str, epoch: int) -> Decision:
    """The next job for a trainer; empty when there is none. Asking again while it has one gives the same one."""
    require_current(book, trainer, epoch)
    for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE):
        if job.trainer == trainer and job.epoch == epoch:
            return Decision(job.id, f"{job.name} is yours already.")
    waiting = [job for job in job_fold.queue(book.jobs) if not job.held]
    if not waiting:
        return Decision("", "Nothing is queued.")
    job = waiting[0]
    body = JobLeased(trainer=trainer, epoch=epoch, run=job.run or next_run(book))
    return Decision(job.id, f"{job.name} is yours.", [Event(subject=f"job/{job.id}", job_leased=body)])


def next_run(book: Book) -> str:
    """The name of the run that is begun next."""
    return f"run-{len(book.jobs.job_of_run) + 1:04d}"


def require_current(book: Book, trainer: str, epoch: int) -> None:
    """Raises Superseded unless this is the trainer's newest process, and its stream was taken in."""
    known = book.jobs.trainers.get(trainer)
    if known is None or known.epoch != epoch:
        raise Superseded(
            f"trainer {trainer} has epoch {known.epoch if known else 0} now, not {epoch}",
            "Another process of this name has taken over, or the trainer's stream is not open.",
        )


def _when(book: Book, job: Job) -> str:
    trainer = book.jobs.trainers.get(job.trainer)
    if trainer and trainer.connected:
        return "at the next step"
    return "its trainer is away, the request waits for it"


def _named(book: Book, name: str, default: "JobState.ValueType", meaning: str) -> Job:
    """The job of that id, or with no name the one that is in the default state."""
    if name:
        job = book.jobs.jobs.get(name)
        if job is None:
            raise Missing(f"there is no job {name}", "`guessbook queue` lists them.")
        return job
    candidates = list(job_fold.in_state(book.jobs, default))
    if not candidates:
        raise Refused(f"no job is {meaning}", "`guessbook queue` shows what there is.")
    if len(candidates) > 1:
        names = ", ".join(job.id for job in candidates)
        raise Refused(f"{len(candidates)} jobs are {meaning}", f"Say which: {names}.")
    return candidates[0]


def _resumable(book: Book, name: str) -> Job:
    if name:
        return _named(book, name, JOB_STATE_PAUSED, "paused")
    held = [job for job in job_fold.queue(book.jobs) if job.held]
    if not any(job_fold.in_state(book.jobs, JOB_STATE_PAUSED)) and len(held) == 1:
        return held[0]
    return _named(book, "", JOB_STATE_PAUSED, "paused")


def _refuse_external(job: Job, done: str) -> None:
    if job.external:
        raise Refused(
            f"{job.name} is trained by a program of its own; it can't be {done} from here",
            "It takes snapshots and can be stopped; to train again, run that program again.",
        )


def _refuse_finished(job: Job, done: str) -> None:
    if job.state in (JOB_STATE_COMPLETED, JOB_STATE_FAILED):
        raise Refused(
            f"{job.name} has {job_state(job.state)}; it can't be {done}", "Submit its file again for a new run."
        )
