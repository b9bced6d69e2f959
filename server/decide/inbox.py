"""What becomes of a file of the inbox: the job that it is, or that its content is a job already; and what its report says."""

from collections.abc import Iterable
from datetime import UTC, datetime

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, FileReceived, LineError
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED, JOB_STATE_COMPLETED, JOB_STATE_FAILED, Job
from guessbook.server.decide.jobs import Decision

SUBJECT = "inbox"
WITHOUT_RESULT = (JOB_STATE_FAILED, JOB_STATE_CANCELLED)  # the same file again is another try
LINES_REPORTED = 1000


class Known(Exception):
    """The same content is a job already. It isn't queued again."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the same content is job {job.id} already ({job.name})")
        self.job = job


def queued(book: Book, decision: Decision, received: FileReceived) -> Decision:
    """The decision that queues a file, with where the file comes from and goes to. Raises Known."""
    if job := job_of(book, received.sha256):
        raise Known(job)
    told = FileReceived()
    told.CopyFrom(received)
    told.job = decision.job
    for event in decision.events:
        if event.HasField("job_queued"):
            event.job_queued.file = received.moved_to
    return Decision(decision.job, decision.message, [*decision.events, Event(subject=SUBJECT, file_received=told)])


def job_of(book: Book, sha256: str) -> Job | None:
    """The newest job that trains, or trained, on this content; not one that failed or was cancelled."""
    jobs = (job for job in reversed(book.jobs.jobs.values()) if job.dataset == sha256 and not job.consolidate)
    return next((job for job in jobs if job.state not in WITHOUT_RESULT), None)


def to_put_away(book: Book, active: str) -> list[Job]:
    """The completed jobs whose file is still in the folder of those that aren't."""
    jobs = book.jobs.jobs.values()
    return [job for job in jobs if job.state == JOB_STATE_COMPLETED and job.file.startswith(f"{active}/")]


def report(received: FileReceived, actor: str, now_us: int, lines: Iterable[LineError], advice: str) -> str:
    """What is written beside a file that became no job."""
    when = datetime.fromtimestamp(now_us / 1e6, tz=UTC)
    told = [f"{received.file} ({actor}) became no job, {when:%Y-%m-%d %H:%M:%S} UTC.", "", f"{received.reason}"]
    told += [f"  line {one.line}: {one.reason}: {one.text}" for one in lines]
    told += ["", f"The file lies here as it was: {received.moved_to}. Nothing was deleted.", advice]
    return "\n".join(told) + "\n"
