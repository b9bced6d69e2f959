"""Which running job makes room for a more urgent one. Pure; knows the queue, not the command that asked."""

from collections.abc import Sequence

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.names import queue_state
from guessbook.projections.waiting import takers
from guessbook.proto.events_pb2 import QUEUE_STATE_ON, Event, JobQueued, StopRequested
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, JOB_STATE_QUEUED, Job, Trainer

BEHIND_ALL = 2**64 - 1  # the place of a job that is queued only now
JUST_NOW = 2**63  # when a job begins that was leased and hasn't begun


def newcomer(identity: str, queued: JobQueued) -> Job:
    """A job as it will stand in the queue."""
    return Job(
        id=identity,
        name=queued.name,
        state=JOB_STATE_QUEUED,
        priority=queued.priority,
        queued_position=BEHIND_ALL,
        after=queued.after,
        needs=queued.needs,
    )


def make_room(book: Book, job: Job) -> tuple[str, list[Event]]:
    """What to tell, and the request that stops the running job of the lowest priority below that of `job`, the youngest of those.

    None where the job can't run yet, or gets a trainer without it. The job that is stopped keeps its place and goes on by itself.
    """
    if book.jobs.queue_state != QUEUE_STATE_ON:
        return f"It waits: the queue is {queue_state(book.jobs.queue_state)}.", []
    if job.held:
        return "It waits until another job had its turn, so none was asked to make room; resume it first.", []
    if not queue.ready(book.jobs, job):
        return "It waits for other jobs, so none was asked to make room.", []
    rooms = _rooms(book, job)
    if len(rooms) > _ahead(book, job, rooms):
        return "A trainer is free for it.", []
    running = [one for one in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE) if _yields(book, one, job)]
    if not running:
        return "No less urgent job runs that could make room: it waits for its turn.", []
    victim = min(running, key=lambda one: (one.priority, -(one.started_at_us or JUST_NOW), -one.queued_position))
    stop = StopRequested(preempted_by=job.id, keep_place=True)
    return f"{victim.name} will make room and goes on afterwards.", [
        Event(subject=f"job/{victim.id}", stop_requested=stop)
    ]


def _rooms(book: Book, job: Job) -> list[Trainer]:
    """Trainers that could take the job and have nothing to do, or are about to have nothing."""
    busy = {one.trainer: one for one in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE)}
    return [
        trainer
        for trainer in takers(book)
        if queue.fits(job.needs, trainer) and (trainer.id not in busy or busy[trainer.id].pending)
    ]


def _ahead(book: Book, job: Job, rooms: Sequence[Trainer]) -> int:
    """Jobs that may take one of these trainers before this one."""
    return sum(
        one.id != job.id
        and queue.ready(book.jobs, one)
        and queue.rank(one) < queue.rank(job)
        and any(queue.fits(one.needs, trainer) for trainer in rooms)
        for one in queue.order(book.jobs)
    )


def _yields(book: Book, running: Job, job: Job) -> bool:
    """Whether a running job may be stopped for `job`, and its trainer could take that. A merge can't be taken up again where it was."""
    trainer = book.jobs.trainers.get(running.trainer)
    return (
        running.priority < job.priority
        and not (running.external or running.consolidate or running.pending)
        and trainer is not None
        and trainer.connected
        and queue.fits(job.needs, trainer)
    )
