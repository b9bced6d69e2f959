"""A program of somebody else's that trains already, and makes that a job of its own."""

from guessbook.projections import jobs as job_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, JobLeased, JobQueued, TrainingConfig
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE
from guessbook.server.decide import jobs, leases
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid


def config(told: TrainingConfig) -> TrainingConfig:
    """What such a program trains with, as it says. It is a fact and not a wish: no default is filled in, nothing is out of bounds.

    Raises Invalid where the base model isn't named.
    """
    if not told.base_model:
        raise Invalid("no base model is given", "Say which model is trained: its name, or the folder it came from.")
    return told


def start(book: Book, now_us: int, trainer: str, epoch: int, wanted: JobQueued) -> Decision:
    """The job is queued and leased in one. Asking again while the trainer has it gives the same one."""
    leases.require_current(book, trainer, epoch)
    for job in job_fold.in_state(book.jobs, JOB_STATE_ACTIVE):
        if job.external and (job.trainer, job.epoch, job.dataset) == (trainer, epoch, wanted.dataset):
            return Decision(job.id, f"{job.name} is yours already.")
    body = JobQueued(
        name=wanted.name,
        dataset=wanted.dataset,
        priority=wanted.priority,
        config=config(wanted.config),
        external=True,
    )
    queued = jobs.submit(book, now_us, body)
    lease = JobLeased(trainer=trainer, epoch=epoch, run=leases.next_run(book))
    events = [*queued.events, Event(subject=f"job/{queued.job}", job_leased=lease)]
    return Decision(queued.job, f"{wanted.name} is yours, as {queued.job}.", events)
