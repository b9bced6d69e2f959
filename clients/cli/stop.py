"""`guessbook stop`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, STOP_ANSWERS, steer


def stop(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Ask the trainer to save a checkpoint, put the job back into the queue and take the next one.

    Example: guessbook stop
    """
    steer(lambda book: book.stop(job), STOP_ANSWERS, wait=not no_wait, timeout=timeout, as_json=as_json)
