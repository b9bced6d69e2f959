"""`guessbook cancel`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import CANCEL_ANSWERS, DEFAULT_TIMEOUT_S, steer


def cancel(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """End a job for good: one that waits at once, one that runs at the next step. What it has trained is kept.

    Example: guessbook cancel train_20251117_103000
    """
    steer(lambda book: book.cancel(job), CANCEL_ANSWERS, wait=not no_wait, timeout=timeout, as_json=as_json)
