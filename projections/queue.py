"""The queue: in which order jobs run, which may run now, and who may take which. Pure, like every fold; decides nothing."""

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.jobs import OVER, WAITING, Jobs, in_state, named
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import QUEUE_STATE_ON, Event, Needs
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_COMPLETED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    Job,
    Trainer,
)


def rank(job: Job) -> tuple[bool, bool, int, int]:
    """What the queue is sorted by: interrupted jobs, then by priority, then by place; those that were stopped by hand wait behind all."""
    return job.held, job.state != JOB_STATE_INTERRUPTED, -job.priority, job.queued_position


def order(state: Jobs) -> list[Job]:
    """The jobs that wait for a trainer, in the order they will run as far as nothing keeps them back. No external ones: nobody can take them up."""
    return sorted((job for job in in_state(state, *WAITING) if not job.external), key=rank)


def listed(state: Jobs) -> list[Job]:
    """All jobs: the active ones, the queue in its order, the paused, then the finished with the newest first.

    An external job that was interrupted is over: nobody can take it up.
    """
    active, paused = list(in_state(state, JOB_STATE_ACTIVE)), list(in_state(state, JOB_STATE_PAUSED))
    finished = list(in_state(state, *OVER))
    finished += [job for job in in_state(state, JOB_STATE_INTERRUPTED) if job.external]
    newest_first = sorted(finished, key=lambda job: job.finished_at_us or job.started_at_us, reverse=True)
    return active + order(state) + paused + newest_first


def unmet(state: Jobs, job: Job) -> list[Job]:
    """The jobs that must be completed before this one, and are not yet. One that failed or was cancelled never will be."""
    return [state.jobs[name] for name in job.after if state.jobs[name].state != JOB_STATE_COMPLETED]


def ready(state: Jobs, job: Job) -> bool:
    """Whether nothing but its turn and a trainer that fits keeps a waiting job from running."""
    return not (job.held or job.pending or unmet(state, job))


def fits(needs: Needs, trainer: Trainer) -> bool:
    """Whether a trainer declared what a job needs. One that declared nothing fits jobs that need nothing in particular."""
    memory_bytes = max((device.memory_bytes for device in trainer.devices), default=0)
    return len(trainer.devices) >= needs.devices and memory_bytes >= needs.memory_bytes


def next_for(state: Jobs, trainer: Trainer) -> Job | None:
    """The job that a trainer gets when it asks now; None: nothing that it could do."""
    if state.queue_state != QUEUE_STATE_ON:
        return None
    return next((job for job in order(state) if ready(state, job) and fits(job.needs, trainer)), None)


def _queue_changed(state: Jobs, event: Event, body: events.QueueChanged) -> None:
    state.queue_state, state.queue_reason = body.to, body.reason


def _priority_changed(state: Jobs, event: Event, body: events.JobPriorityChanged) -> None:
    named(state, event).priority = body.to


def _moved(state: Jobs, event: Event, body: events.JobMoved) -> None:
    """The unfinished jobs share out their places anew, so that this one comes directly before the other and nobody else changes sides."""
    job = named(state, event)
    if not body.before:
        job.queued_position = event.position
        return
    before = state.jobs.get(body.before)
    if before is None or before.state in OVER or job.state in OVER:
        raise Misplaced(f"{job.id} can't come before {body.before}: one of them doesn't wait")
    unfinished = sorted(
        (one for one in state.jobs.values() if one.state not in OVER), key=lambda one: one.queued_position
    )
    places = [one.queued_position for one in unfinished]
    unfinished.remove(job)
    unfinished.insert(unfinished.index(before), job)
    for one, place in zip(unfinished, places, strict=True):
        one.queued_position = place
    job.held = False


HANDLERS: Handlers = {
    "queue_changed": _queue_changed,
    "job_priority_changed": _priority_changed,
    "job_moved": _moved,
}
