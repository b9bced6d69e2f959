"""The present as the files control/queue.json and control/current_state.json show it: plain values, ready for JSON. Pure; knows the folds.

Times are ISO 8601 in UTC, with seconds; null where nothing is known.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.names import job_state, priority, queue_state
from guessbook.projections.outlook import explain
from guessbook.projections.runs import summary
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    Job,
    JobOutlook,
    JobState,
)

QUEUE_PART = ("active", "queued", "paused", "completed")
ENDED_SHOWN = 50  # of each kind, the newest first
_ASKED = {"pause": "pausing", "stop": "stopping", "cancel": "cancelling"}

Shown = dict[str, Any]


def current_state(book: Book, now_us: int) -> Shown:
    """What current_state.json holds. With several trainers `active` is the job that was begun first, and `all_active` are all."""
    outlook = explain(book, now_us)
    by_job = {one.job: one for one in outlook.jobs}
    active = sorted(job_fold.in_state(book.jobs, JOB_STATE_ACTIVE), key=lambda job: job.started_at_us or now_us)
    running = [_active(book, job, by_job.get(job.id), now_us) for job in active]
    return {
        "active": running[0] if running else None,
        "queued": [_waiting(job, by_job[job.id]) for job in queue.order(book.jobs)],
        "paused": [_paused(job) for job in job_fold.in_state(book.jobs, JOB_STATE_PAUSED)],
        "completed": [_completed(book, job) for job in _ended(book, JOB_STATE_COMPLETED)],
        "all_active": running,
        "failed": [{**_ending(job), "error": job.error} for job in _ended(book, JOB_STATE_FAILED)],
        "cancelled": [_ending(job) for job in _ended(book, JOB_STATE_CANCELLED)],
        "interrupted": [_interrupted(job) for job in _cut_off(book)],
        "queue": queue_state(book.jobs.queue_state),
        "queue_reason": book.jobs.queue_reason,
        "queue_ends": iso(outlook.ends_at_us),
        "trainers": [
            {"id": one.id, "connected": one.connected, "device": one.device, "job": one.job or None}
            for one in book.jobs.trainers.values()
        ],
        "position": book.position,
    }


def queue_part(state: Shown) -> Shown:
    """What of it queue.json holds."""
    return {name: state[name] for name in QUEUE_PART}


def iso(at_us: int) -> str | None:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}" if at_us else None


def _active(book: Book, job: Job, outlook: JobOutlook | None, now_us: int) -> Shown:
    found = book.runs.by_id.get(job.run)
    run = summary(found) if found else None
    step, total = (run.step, run.total_steps) if run else (0, 0)
    left_us = outlook.ends_at_us - now_us if outlook and outlook.ends_at_us else None
    return {
        **_who(job),
        "started": iso(job.started_at_us),
        "progress": {
            "step": step,
            "total_steps": total,
            "percent": 100 * step // total if total else 0,  # 100 only when it is done
            "eta_minutes": math.ceil(max(left_us, 0) / 60e6) if left_us is not None else None,
        },
        "status": _status(job, started=run is not None or bool(job.started_at_us)),
    }


def _status(job: Job, *, started: bool) -> str:
    if job.pending:
        return _ASKED.get(job.pending, job.pending)
    if not started:
        return "starting"
    return "consolidating" if job.consolidate else "training"


def _waiting(job: Job, outlook: JobOutlook) -> Shown:
    return {**_who(job), "queued_at": iso(job.queued_at_us), "estimated_start": iso(outlook.starts_at_us)}


def _paused(job: Job) -> Shown:
    return {**_who(job), "queued_at": iso(job.queued_at_us), "step": job.checkpoint_step}


def _completed(book: Book, job: Job) -> Shown:
    return {**_ending(job), "version_created": book.versions.name_of_run.get(job.run)}


def _ending(job: Job) -> Shown:
    when = f"{job_state(job.state)}_at"
    return {"id": job.id, "file": _file(job), when: iso(job.finished_at_us)}


def _interrupted(job: Job) -> Shown:
    return {**_who(job), "started": iso(job.started_at_us), "step": job.checkpoint_step}


def _ended(book: Book, state: "JobState.ValueType") -> Iterable[Job]:
    jobs = sorted(job_fold.in_state(book.jobs, state), key=lambda job: job.finished_at_us, reverse=True)
    return jobs[:ENDED_SHOWN]


def _cut_off(book: Book) -> Iterable[Job]:
    """Jobs of other programs that were lost: no trainer takes them up again. All else that is interrupted is in the queue."""
    jobs = [job for job in job_fold.in_state(book.jobs, JOB_STATE_INTERRUPTED) if job.external]
    return sorted(jobs, key=lambda job: job.started_at_us, reverse=True)[:ENDED_SHOWN]


def _who(job: Job) -> Shown:
    return {"id": job.id, "file": _file(job), "priority": priority(job.priority)}


def _file(job: Job) -> str:
    """Its name in the data folder, where it came in by the inbox; else as it was submitted."""
    return job.file.rpartition("/")[2] or job.name
