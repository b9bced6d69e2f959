"""Who gets a job. Pure; knows the queue, and which process of a trainer is the newest."""

from guessbook.projections import jobs as job_fold
from guessbook.projections import queue
from guessbook.projections.book import Book
from guessbook.projections.jobs import OVER
from guessbook.projections.names import queue_state
from guessbook.proto.events_pb2 import QUEUE_STATE_ON, Event, JobLeased
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE
from guessbook.server.decide.jobs import Decision, answer
from guessbook.server.decide.rejection import Refused, Superseded


def lease(book: Book, trainer: str, epoch: int) -> Decision:
    """The next job that a trainer can take; empty when there is none. Asking again while it has one gives the same one."""
    require_current(book, trainer, epoch)
    for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE):
        if job.trainer == trainer and job.epoch == epoch:
            return Decision(job.id, f"{job.name} is yours already.")
    events = overtaken(book)
    if book.jobs.queue_state != QUEUE_STATE_ON:
        return Decision("", f"The queue is {queue_state(book.jobs.queue_state)}.", events)
    free = queue.next_for(book.jobs, book.jobs.trainers[trainer])
    if free is None:
        return Decision("", "Nothing is queued that this trainer can take now.", events)
    body = JobLeased(trainer=trainer, epoch=epoch, run=free.run or next_run(book))
    events.append(Event(subject=f"job/{free.id}", job_leased=body))
    return Decision(free.id, f"{free.name} is yours.", events)


def overtaken(book: Book) -> list[Event]:
    """The answers to what was asked of jobs while their trainers' answers to something else were on their way. Until then nobody gets those jobs."""
    return [
        answer(job) for job in book.jobs.jobs.values() if job.pending and job.state not in (JOB_STATE_ACTIVE, *OVER)
    ]


def next_run(book: Book) -> str:
    """The name of the run that is begun next."""
    return f"run-{len(book.jobs.job_of_run) + 1:04d}"


def require_current(book: Book, trainer: str, epoch: int) -> None:
    """Raises Superseded unless this is the trainer's newest process; Refused, so that it asks again, while it is held for lost."""
    known = book.jobs.trainers.get(trainer)
    if known is None or known.epoch != epoch:
        raise Superseded(
            f"trainer {trainer} has epoch {known.epoch if known else 0} now, not {epoch}",
            "Another process of this name has taken over, or the trainer's stream is not open.",
        )
    if not known.connected:
        raise Refused(
            f"trainer {trainer} is held for lost: its stream is not open", "Ask again when it has connected anew."
        )
