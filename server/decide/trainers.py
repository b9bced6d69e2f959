"""Who trains: a trainer that comes, one that stays away, and which events each may send."""

from collections.abc import Iterable, Sequence

from guessbook.projections import jobs as job_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import (
    QUEUE_STATE_OFF,
    Event,
    JobInterrupted,
    JobLeased,
    TrainerConnected,
    TrainerLost,
)
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_INTERRUPTED,
    Job,
)
from guessbook.server.decide.jobs import answer
from guessbook.server.decide.queue import keep_place, stops_while_off
from guessbook.server.decide.rejection import Displaced, Forbidden

# What a producer may say. Everything else is decided by the server.
PRODUCED = frozenset(
    {
        "job_started",
        "job_paused",
        "job_resumed",
        "job_stopped",
        "job_completed",
        "job_failed",
        "job_cancelled",
        "batch_skipped",
        "batch_size_reduced",
        "run_started",
        "step_completed",
        "checkpoint_saved",
        "snapshot_started",
        "examples_observed",
        "snapshot_completed",
        "snapshot_failed",
        "snapshot_thinned",
        "report_created",
        "version_created",
    }
)


def connected(book: Book, trainer: str, info: TrainerConnected) -> list[Event]:
    """A trainer's stream is open. An older process of its name has lost its job; one that was only cut off gets its job back."""
    subject = f"trainer/{trainer}"
    known = book.jobs.trainers.get(trainer)
    events: list[Event] = []
    if known is None or not known.connected or known.epoch != info.epoch:
        events.append(Event(subject=subject, trainer_connected=info))
    for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE):
        if job.trainer == trainer and job.epoch != info.epoch:
            events += _interrupt(job, trainer, "its trainer was started anew")
    for job in job_fold.in_state(book.jobs, JOB_STATE_INTERRUPTED):
        if job.trainer == trainer and job.epoch == info.epoch:
            lease = JobLeased(trainer=trainer, epoch=info.epoch, run=job.run)
            events.append(Event(subject=f"job/{job.id}", job_leased=lease))
            if book.jobs.queue_state == QUEUE_STATE_OFF and stops_while_off(job):
                events.append(keep_place(job))  # it trains still, and hasn't heard of it
    return events


def lost(book: Book, trainer: str, epoch: int, reason: str) -> list[Event]:
    """A trainer stayed away for too long: what it had can be taken up by another."""
    events: list[Event] = []
    known = book.jobs.trainers.get(trainer)
    if known and known.epoch == epoch and known.connected:
        events.append(Event(subject=f"trainer/{trainer}", trainer_lost=TrainerLost(epoch=epoch, reason=reason)))
    for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE):
        if job.trainer == trainer and job.epoch == epoch:
            events += _interrupt(job, trainer, reason)
    return events


def _interrupt(job: Job, trainer: str, reason: str) -> list[Event]:
    """A request that the trainer can't answer any more is answered here: who asked for a pause gets one."""
    subject = f"job/{job.id}"
    events = [Event(subject=subject, job_interrupted=JobInterrupted(trainer=trainer, reason=reason))]
    # An external job isn't in the queue: it can be cancelled, and nothing else that was asked of it can be done any more.
    if job.pending and (job.pending == "cancel" or not job.external):
        events.append(answer(job))
    return events


def admit(book: Book, producer: str, epoch: int, events: Iterable[Event], subjects: Iterable[str]) -> None:
    """Whether a producer may append these. Raises Forbidden for what only the server says, Displaced for a job that another has."""
    bodies = {event.WhichOneof("body") for event in events}
    if not bodies <= PRODUCED:
        named = ", ".join(sorted(body or "an event of an unknown kind" for body in bodies - PRODUCED))
        raise Forbidden(f"a producer may not append {named}", "Only the server decides that.")
    for subject in subjects:
        kind, _, identity = subject.partition("/")
        job = book.jobs.jobs.get(book.jobs.job_of_run.get(identity, "") if kind == "run" else identity)
        if job is not None and not _has(job, producer, epoch):
            raise Displaced(
                f"job {job.id} {_owner(job)}",
                "Stop working on it, and ask for the next one; what was not sent is kept for you to look at.",
            )


def _has(job: Job, producer: str, epoch: int) -> bool:
    """Whether a producer's word on a job counts.

    What an older process left in its spool does as long as nobody else had the job since, and nobody cancelled it.
    """
    if job.trainer != producer or job.state == JOB_STATE_CANCELLED:
        return False
    return job.state != JOB_STATE_ACTIVE or job.epoch == epoch


def _owner(job: Job) -> str:
    if job.state == JOB_STATE_CANCELLED:
        return "was cancelled"
    return f"belongs to trainer {job.trainer} now" if job.trainer else "was not leased to anybody yet"


def absent(book: Book, present: Sequence[str]) -> list[tuple[str, int]]:
    """Trainers that the log believes at work and that are not here: (name, epoch). After a server start they get time to come back."""
    working = {(job.trainer, job.epoch) for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE)}
    working |= {(trainer.id, trainer.epoch) for trainer in book.jobs.trainers.values() if trainer.connected}
    return sorted((name, epoch) for name, epoch in working if name not in present)
