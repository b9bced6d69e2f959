"""`guessbook resume`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, RESUME_ANSWERS, steer
from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2, history_pb2


def resume(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Put a paused or stopped job back into the queue, in front of its equals.

    Waits until training goes on, unless no trainer is free to take the job.

    Example: guessbook resume
    """
    with Guessbook() as book:
        soon = goes_on_soon(book.status())
    steer(lambda book: book.resume(job), RESUME_ANSWERS, wait=soon and not no_wait, timeout=timeout, as_json=as_json)


def goes_on_soon(status: history_pb2.Status) -> bool:
    """Whether a trainer is free and may begin a job."""
    free = any(trainer.connected and not trainer.job for trainer in status.trainers)
    return free and status.queue == events_pb2.QUEUE_STATE_ON
