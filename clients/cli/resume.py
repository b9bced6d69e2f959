"""`guessbook resume`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, RESUME_ANSWERS, steer
from guessbook.clients.client import Guessbook


def resume(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Put a paused or stopped job back into the queue, in front of its equals.

    Waits until training goes on, unless no trainer is free to take the job.

    Example: guessbook resume
    """
    with Guessbook() as book:
        status = book.status()
        free = not status.HasField("active") and any(trainer.connected for trainer in status.trainers)
    steer(lambda book: book.resume(job), RESUME_ANSWERS, wait=free and not no_wait, timeout=timeout, as_json=as_json)
