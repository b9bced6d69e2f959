"""What is to come of the queue: when each job starts and ends, on which trainer, and why it has to wait. Pure; knows the folds, not the clock.

The queue is played through as trainers would work it off: whoever is free first takes the first job of the order that it can take.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.jobs import in_state
from guessbook.projections.waiting import Waiting, takers, why_it_runs
from guessbook.projections.workload import Workload, Workloads
from guessbook.proto.events_pb2 import QUEUE_STATE_ON
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, ExplainQueueResponse, Job


@dataclass
class _Plan:
    """Who has which job and until when, in seconds from now; a time that can't be told is not in it."""

    starts_s: dict[str, float] = field(default_factory=dict)
    ends_s: dict[str, float] = field(default_factory=dict)
    trainer: dict[str, str] = field(default_factory=dict)


def explain(book: Book, now_us: int) -> ExplainQueueResponse:
    """The outlook of every job that runs or waits, at `now_us` (microseconds since 1970, that the times are counted from)."""
    running = list(in_state(book.jobs, JOB_STATE_ACTIVE))
    order = queue.order(book.jobs)
    workloads, waiting = Workloads(book), Waiting(book)
    work = {job.id: workloads.of(job) for job in (*running, *order)}
    plan = _played(book, running, order, work)
    answer = ExplainQueueResponse(state=book.jobs.queue_state, reason=book.jobs.queue_reason, now_us=now_us)
    for job in (*running, *order):
        active, trainer = job.state == JOB_STATE_ACTIVE, plan.trainer.get(job.id, "")
        answer.jobs.add(
            job=job.id,
            why=why_it_runs(book, job) if active else waiting.why(job, trainer),
            starts_at_us=job.started_at_us if active else _time(plan.starts_s, job, now_us),
            ends_at_us=_time(plan.ends_s, job, now_us),
            seconds=work[job.id].seconds or 0.0,
            basis=work[job.id].basis,
            trainer=trainer,
        )
    if answer.jobs and all(one.ends_at_us for one in answer.jobs):
        answer.ends_at_us = max(one.ends_at_us for one in answer.jobs)
    return answer


def _time(seconds: dict[str, float], job: Job, now_us: int) -> int:
    return now_us + round(seconds[job.id] * 1e6) if job.id in seconds else 0


def _played(book: Book, running: Sequence[Job], order: Sequence[Job], work: dict[str, Workload]) -> _Plan:
    plan = _Plan(trainer={job.id: job.trainer for job in running})
    for job in running:
        seconds = work[job.id].seconds
        if seconds is not None and not job.pending:
            plan.ends_s[job.id] = seconds
    if book.jobs.queue_state != QUEUE_STATE_ON:
        return plan  # nothing is begun
    free_s = _free(book, running, plan)
    left = list(order)
    awaited = {job.id: [one.id for one in queue.unmet(book.jobs, job)] for job in order}

    def ready(job: Job, now_s: float) -> bool:
        return all(plan.ends_s.get(one, math.inf) <= now_s for one in awaited[job.id])

    had_its_turn = False  # those that are held wait until another job had its turn
    while free_s and left:
        name = min(free_s, key=lambda one: (free_s[one], one))
        now_s = free_s[name]
        trainer = book.jobs.trainers[name]
        taken = next(
            (
                one
                for one in left
                if (had_its_turn or not one.held) and ready(one, now_s) and queue.fits(one.needs, trainer)
            ),
            None,
        )
        if taken is None:
            _wait(free_s, name, plan)
            continue
        left.remove(taken)
        if not had_its_turn:
            had_its_turn = True
            left.sort(key=lambda job: queue.rank(job)[1:])  # now nobody is held
        plan.trainer[taken.id], plan.starts_s[taken.id] = name, now_s
        seconds = work[taken.id].seconds
        if seconds is None:
            del free_s[name]  # nobody knows when it is free again
        else:
            plan.ends_s[taken.id] = free_s[name] = now_s + seconds
    return plan


def _free(book: Book, running: Iterable[Job], plan: _Plan) -> dict[str, float]:
    """When each connected trainer of the queue is free, in seconds from now. One whose job's end is not known is not in it."""
    free_s = {trainer.id: 0.0 for trainer in takers(book)}
    for job in running:
        if job.trainer in free_s and not job.pending:  # what was asked of the job comes at its next step
            end_s = plan.ends_s.get(job.id)
            if end_s is None:
                del free_s[job.trainer]
            else:
                free_s[job.trainer] = end_s
    return free_s


def _wait(free_s: dict[str, float], name: str, plan: _Plan) -> None:
    """The trainer waits until something ends that a job may wait for; if nothing does, it gets no job any more."""
    later = [end_s for end_s in plan.ends_s.values() if end_s > free_s[name]]
    if later:
        free_s[name] = min(later)
    else:
        del free_s[name]
