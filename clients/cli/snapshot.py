"""`guessbook snapshot`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, SNAPSHOT_ANSWERS, steer


def snapshot(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Ask for a snapshot now: what the model guesses for every tracked example at the next step.

    Example: guessbook snapshot
    """
    steer(lambda book: book.snapshot(job), SNAPSHOT_ANSWERS, wait=not no_wait, timeout=timeout, as_json=as_json)
