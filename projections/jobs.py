"""The jobs and their trainers: who waits, who runs, what was asked and not yet answered."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.names import job_id, run_id
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
    JobState,
    Trainer,
)


@dataclass
class Jobs:
    jobs: dict[str, Job] = field(default_factory=dict)
    trainers: dict[str, Trainer] = field(default_factory=dict)
    job_of_run: dict[str, str] = field(default_factory=dict)

    def fork(self) -> "Jobs":
        """The same jobs; a change in either is not in the other."""
        return copy.deepcopy(self)


def queue(state: Jobs) -> list[Job]:
    """The jobs that wait for a trainer, in the order they will run: interrupted ones, then by priority, then first in first out."""
    waiting = [job for job in in_state(state, JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED) if not job.external]
    return sorted(
        waiting, key=lambda job: (job.held, job.state != JOB_STATE_INTERRUPTED, -job.priority, job.queued_position)
    )


def listed(state: Jobs) -> list[Job]:
    """All jobs: the active ones, the queue in its order, the paused, then the finished with the newest first.

    An external job that was interrupted is over: nobody can take it up.
    """
    active = [job for job in state.jobs.values() if job.state == JOB_STATE_ACTIVE]
    paused = [job for job in state.jobs.values() if job.state == JOB_STATE_PAUSED]
    finished = list(in_state(state, JOB_STATE_COMPLETED, JOB_STATE_FAILED))
    finished += [job for job in in_state(state, JOB_STATE_INTERRUPTED) if job.external]
    newest_first = sorted(finished, key=lambda job: job.finished_at_us or job.started_at_us, reverse=True)
    return active + queue(state) + paused + newest_first


def in_state(state: Jobs, *wanted: "JobState.ValueType") -> Iterable[Job]:
    return (job for job in state.jobs.values() if job.state in wanted)


def _job(state: Jobs, event: Event) -> Job:
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
    )


def _priority_changed(state: Jobs, event: Event, body: events.JobPriorityChanged) -> None:
    _job(state, event).priority = body.to


def _leased(state: Jobs, event: Event, body: events.JobLeased) -> None:
    job = _job(state, event)
    for other in state.jobs.values():
        other.held = False  # a job had its turn, so those that were stopped may have theirs again
    job.state = JOB_STATE_ACTIVE
    job.trainer, job.epoch, job.run = body.trainer, body.epoch, body.run
    state.job_of_run[body.run] = job.id
    if body.trainer in state.trainers:
        state.trainers[body.trainer].job = job.id


def _taken_up(state: Jobs, event: Event, body: events.JobStarted | events.JobResumed) -> None:
    job = _job(state, event)
    job.state = JOB_STATE_ACTIVE
    job.started_at_us = job.started_at_us or event.recorded_at_us


def _release(state: Jobs, job: Job, new_state: "JobState.ValueType") -> None:
    if job.trainer in state.trainers and state.trainers[job.trainer].job == job.id:
        state.trainers[job.trainer].job = ""
    job.state = new_state  # `trainer` and `epoch` stay: whose word on it counts until another has it
    job.pending, job.pending_position = "", 0
    job.snapshot_pending = False


def _pause_requested(state: Jobs, event: Event, body: events.PauseRequested) -> None:
    job = _job(state, event)
    job.pending, job.pending_position = "pause", event.position


def _paused(state: Jobs, event: Event, body: events.JobPaused) -> None:
    job = _job(state, event)
    _release(state, job, JOB_STATE_PAUSED)
    job.checkpoint_step = body.step


def _resume_requested(state: Jobs, event: Event, body: events.ResumeRequested) -> None:
    job = _job(state, event)
    job.held = False
    if job.state == JOB_STATE_PAUSED:
        job.state = JOB_STATE_QUEUED


def _stop_requested(state: Jobs, event: Event, body: events.StopRequested) -> None:
    job = _job(state, event)
    job.pending, job.pending_position = "stop", event.position


def _stopped(state: Jobs, event: Event, body: events.JobStopped) -> None:
    job = _job(state, event)
    _release(state, job, JOB_STATE_QUEUED)
    job.checkpoint_step = body.step
    job.queued_position = event.position
    job.held = True


def _snapshot_requested(state: Jobs, event: Event, body: events.SnapshotRequested) -> None:
    _job(state, event).snapshot_pending = True


def _schedule_changed(state: Jobs, event: Event, body: events.ScheduleChanged) -> None:
    config = _job(state, event).config
    config.snapshots = body.snapshots
    config.snapshot_steps[:] = body.snapshot_steps
    config.snapshot_budget_percent = body.snapshot_budget_percent
    config.snapshot_budget_seconds = body.snapshot_budget_seconds


def _snapshot_ended(state: Jobs, event: Event, body: object) -> None:
    job = state.jobs.get(state.job_of_run.get(run_id(event), ""))
    if job:
        job.snapshot_pending = False


def _completed(state: Jobs, event: Event, body: events.JobCompleted) -> None:
    job = _job(state, event)
    _release(state, job, JOB_STATE_COMPLETED)
    job.finished_at_us = event.recorded_at_us


def _failed(state: Jobs, event: Event, body: events.JobFailed) -> None:
    job = _job(state, event)
    _release(state, job, JOB_STATE_FAILED)
    job.finished_at_us = event.recorded_at_us
    job.error, job.hint = body.error, body.hint


def _interrupted(state: Jobs, event: Event, body: events.JobInterrupted) -> None:
    _release(state, _job(state, event), JOB_STATE_INTERRUPTED)


def _checkpoint_saved(state: Jobs, event: Event, body: events.CheckpointSaved) -> None:
    job = state.jobs.get(state.job_of_run.get(run_id(event), ""))
    if job:
        job.checkpoint_step = body.step


def _trainer_connected(state: Jobs, event: Event, body: events.TrainerConnected) -> None:
    name = event.subject.removeprefix("trainer/")
    known = state.trainers.get(name)
    state.trainers[name] = Trainer(
        id=name,
        connected=True,
        epoch=body.epoch,
        device=body.device,
        host=body.host,
        pid=body.pid,
        since_us=event.recorded_at_us,
        job=known.job if known else "",
    )


def _trainer_lost(state: Jobs, event: Event, body: events.TrainerLost) -> None:
    trainer = state.trainers.get(event.subject.removeprefix("trainer/"))
    if trainer is None:
        raise Misplaced(f"there is no {event.subject}")
    trainer.connected = False
    trainer.since_us = event.recorded_at_us


HANDLERS: Handlers = {
    "job_queued": _queued,
    "job_priority_changed": _priority_changed,
    "job_leased": _leased,
    "job_started": _taken_up,
    "pause_requested": _pause_requested,
    "job_paused": _paused,
    "resume_requested": _resume_requested,
    "job_resumed": _taken_up,
    "stop_requested": _stop_requested,
    "job_stopped": _stopped,
    "snapshot_requested": _snapshot_requested,
    "schedule_changed": _schedule_changed,
    "snapshot_completed": _snapshot_ended,
    "snapshot_failed": _snapshot_ended,
    "job_completed": _completed,
    "job_failed": _failed,
    "job_interrupted": _interrupted,
    "checkpoint_saved": _checkpoint_saved,
    "trainer_connected": _trainer_connected,
    "trainer_lost": _trainer_lost,
}
