"""`guessbook skip`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, SKIP_ANSWERS, steer


def skip(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Leave the current batch out: no update is made of it.

    Example: guessbook skip
    """
    steer(lambda book: book.skip(job), SKIP_ANSWERS, wait=not no_wait, timeout=timeout, as_json=as_json)
