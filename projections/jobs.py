"""The jobs: who waits, who runs, what was asked and not yet answered. Knows no order (queue.py), and of trainers only which job each has."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.names import job_id, run_id
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import QUEUE_STATE_ON, Event, QueueState
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
    JobState,
    Trainer,
)

OVER = (JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED)
WAITING = (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED)


@dataclass
class Jobs:
    """Jobs in the order they were submitted, trainers, and whether the queue is on."""

    jobs: dict[str, Job] = field(default_factory=dict)
    trainers: dict[str, Trainer] = field(default_factory=dict)
    job_of_run: dict[str, str] = field(default_factory=dict)
    queue_state: "QueueState.ValueType" = QUEUE_STATE_ON
    queue_reason: str = ""

    def fork(self) -> "Jobs":
        """The same jobs; a change in either is not in the other."""
        return copy.deepcopy(self)


def in_state(state: Jobs, *wanted: "JobState.ValueType") -> Iterable[Job]:
    return (job for job in state.jobs.values() if job.state in wanted)


def named(state: Jobs, event: Event) -> Job:
    """The job that an event is about. Raises Misplaced."""
    job = state.jobs.get(job_id(event))
    if job is None:
        raise Misplaced(f"there is no {event.subject}")
    return job


def _queued(state: Jobs, event: Event, body: events.JobQueued) -> None:
    state.jobs[job_id(event)] = Job(
        id=job_id(event),
        name=body.name,
        dataset=body.dataset,
        priority=body.priority,
        state=JOB_STATE_QUEUED,
        config=body.config,
        queued_position=event.position,
        queued_at_us=event.recorded_at_us,
        external=body.external,
        consolidate=body.consolidate,
        after=body.after,
        needs=body.needs if body.HasField("needs") else None,
        preempt=body.preempt,
        file=body.file,
    )


def _leased(state: Jobs, event: Event, body: events.JobLeased) -> None:
    job = named(state, event)
    for other in state.jobs.values():
        other.held = False  # a job had its turn, so those that were stopped may have theirs again
    job.state = JOB_STATE_ACTIVE
    job.trainer, job.epoch, job.run = body.trainer, body.epoch, body.run
    job.keep_place, job.preempted_by = False, ""
    state.job_of_run[body.run] = job.id
    if body.trainer in state.trainers:
        state.trainers[body.trainer].job = job.id


def _taken_up(state: Jobs, event: Event, body: events.JobStarted | events.JobResumed) -> None:
    """The lease made it active; what comes late, of a trainer that was lost, makes nothing active again."""
    job = named(state, event)
    job.started_at_us = job.started_at_us or event.recorded_at_us


def _release(state: Jobs, job: Job, new_state: "JobState.ValueType") -> None:
    if job.trainer in state.trainers and state.trainers[job.trainer].job == job.id:
        state.trainers[job.trainer].job = ""
    job.state = new_state  # `trainer` and `epoch` stay: whose word on it counts until another has it
    job.pending, job.pending_position = "", 0
    job.snapshot_pending = job.skip_pending = False
    if new_state not in WAITING:
        job.keep_place, job.preempted_by = False, ""


def _ask(job: Job, event: Event, what: str, keep_place: bool = False, preempted_by: str = "") -> None:
    """The last one that was asked for counts."""
    job.pending, job.pending_position = what, event.position
    job.keep_place, job.preempted_by = keep_place, preempted_by


def _late(job: Job, event: Event) -> bool:
    """Whether a trainer that was lost answers a request that was answered in its place: the job is where others have put it since."""
    answered = event.causation not in (0, job.pending_position)
    return answered and not _at_work(job)


def _at_work(job: Job) -> bool:
    """Whether its last trainer's word moves it: nobody has put it elsewhere."""
    return job.state in (JOB_STATE_ACTIVE, JOB_STATE_INTERRUPTED)


def _let_go(state: Jobs, job: Job, event: Event, new_state: "JobState.ValueType") -> None:
    """Its trainer has let go of it. What was asked while this answer was on its way stays pending; the server answers that."""
    newer = event.causation not in (0, job.pending_position)
    pending, position = (job.pending, job.pending_position) if newer else ("", 0)
    _release(state, job, new_state)
    job.pending, job.pending_position = pending, position


def _pause_requested(state: Jobs, event: Event, body: events.PauseRequested) -> None:
    _ask(named(state, event), event, "pause")


def _paused(state: Jobs, event: Event, body: events.JobPaused) -> None:
    job = named(state, event)
    job.checkpoint_step = body.step
    if not _late(job, event):
        _let_go(state, job, event, JOB_STATE_PAUSED)


def _resume_requested(state: Jobs, event: Event, body: events.ResumeRequested) -> None:
    job = named(state, event)
    job.held = False
    if job.state == JOB_STATE_PAUSED:
        job.state = JOB_STATE_QUEUED


def _stop_requested(state: Jobs, event: Event, body: events.StopRequested) -> None:
    _ask(named(state, event), event, "stop", body.keep_place, body.preempted_by)


def _stopped(state: Jobs, event: Event, body: events.JobStopped) -> None:
    job = named(state, event)
    job.checkpoint_step = body.step
    if _late(job, event):
        return
    _let_go(state, job, event, JOB_STATE_QUEUED)
    if not (job.keep_place or job.pending):
        job.queued_position = event.position
        job.held = True
    job.keep_place = job.keep_place and bool(job.pending)


def _cancel_requested(state: Jobs, event: Event, body: events.CancelRequested) -> None:
    _ask(named(state, event), event, "cancel")


def _cancelled(state: Jobs, event: Event, body: events.JobCancelled) -> None:
    job = named(state, event)
    job.checkpoint_step = body.step
    _release(state, job, JOB_STATE_CANCELLED)
    job.held = False
    job.finished_at_us = event.recorded_at_us


def _snapshot_requested(state: Jobs, event: Event, body: events.SnapshotRequested) -> None:
    named(state, event).snapshot_pending = True


def _snapshot_ended(state: Jobs, event: Event, body: object) -> None:
    job = state.jobs.get(state.job_of_run.get(run_id(event), ""))
    if job:
        job.snapshot_pending = False


def _skip_requested(state: Jobs, event: Event, body: events.BatchSkipRequested) -> None:
    named(state, event).skip_pending = True


def _skipped(state: Jobs, event: Event, body: events.BatchSkipped) -> None:
    named(state, event).skip_pending = False


def _schedule_changed(state: Jobs, event: Event, body: events.ScheduleChanged) -> None:
    config = named(state, event).config
    config.snapshots = body.snapshots
    config.snapshot_steps[:] = body.snapshot_steps
    config.snapshot_budget_percent = body.snapshot_budget_percent
    config.snapshot_budget_seconds = body.snapshot_budget_seconds


def _batch_size_reduced(state: Jobs, event: Event, body: events.BatchSizeReduced) -> None:
    config = named(state, event).config
    config.per_device_train_batch_size = body.per_device_train_batch_size
    config.gradient_accumulation_steps = body.gradient_accumulation_steps


def _completed(state: Jobs, event: Event, body: events.JobCompleted) -> None:
    job = named(state, event)
    _release(state, job, JOB_STATE_COMPLETED)
    job.finished_at_us = event.recorded_at_us


def _failed(state: Jobs, event: Event, body: events.JobFailed) -> None:
    job = named(state, event)
    if not _at_work(job):  # a trainer that was lost tells it late, of a job that others have paused or put back
        return
    _release(state, job, JOB_STATE_FAILED)
    job.finished_at_us = event.recorded_at_us
    job.error, job.hint, job.failure = body.error, body.hint, body.failure


def _interrupted(state: Jobs, event: Event, body: events.JobInterrupted) -> None:
    _release(state, named(state, event), JOB_STATE_INTERRUPTED)


def _checkpoint_saved(state: Jobs, event: Event, body: events.CheckpointSaved) -> None:
    job = state.jobs.get(state.job_of_run.get(run_id(event), ""))
    if job:
        job.checkpoint_step = body.step


def _file_received(state: Jobs, event: Event, body: events.FileReceived) -> None:
    if not body.job:
        return
    job = state.jobs.get(body.job)
    if job is None:
        raise Misplaced(f"there is no job {body.job}")
    job.file = body.moved_to


HANDLERS: Handlers = {
    "job_queued": _queued,
    "job_leased": _leased,
    "job_started": _taken_up,
    "job_resumed": _taken_up,
    "pause_requested": _pause_requested,
    "job_paused": _paused,
    "resume_requested": _resume_requested,
    "stop_requested": _stop_requested,
    "job_stopped": _stopped,
    "cancel_requested": _cancel_requested,
    "job_cancelled": _cancelled,
    "snapshot_requested": _snapshot_requested,
    "snapshot_completed": _snapshot_ended,
    "snapshot_failed": _snapshot_ended,
    "batch_skip_requested": _skip_requested,
    "batch_skipped": _skipped,
    "schedule_changed": _schedule_changed,
    "batch_size_reduced": _batch_size_reduced,
    "job_completed": _completed,
    "job_failed": _failed,
    "job_interrupted": _interrupted,
    "checkpoint_saved": _checkpoint_saved,
    "file_received": _file_received,
}
