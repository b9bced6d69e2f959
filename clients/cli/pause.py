"""`guessbook pause`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, PAUSE_ANSWERS, steer


def pause(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Ask the trainer to save a checkpoint at the next step and let go of the GPU.

    Example: guessbook pause
    """
    steer(lambda book: book.pause(job), PAUSE_ANSWERS, wait=not no_wait, timeout=timeout, as_json=as_json)
