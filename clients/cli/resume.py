"""`guessbook resume`."""

from guessbook.clients.cli.options import AsJson, JobArgument, NoWait, Timeout
from guessbook.clients.cli.output import out
from guessbook.clients.cli.steering import DEFAULT_TIMEOUT_S, RESUME_ANSWERS, steer
from guessbook.clients.client import Guessbook
from guessbook.proto import history_pb2


def resume(
    job: JobArgument = "", no_wait: NoWait = False, timeout: Timeout = DEFAULT_TIMEOUT_S, as_json: AsJson = False
) -> None:
    """Put a paused or stopped job back into the queue, in front of its equals.

    Waits until training goes on, unless something else comes before that: then it says what.

    Example: guessbook resume
    """
    with Guessbook() as book:
        response = book.resume(job)
        waits = why_it_waits(response.job.id, book.explain())
    wait = not (waits or no_wait)
    steer(lambda book: response, RESUME_ANSWERS, wait=wait, timeout=timeout, as_json=as_json)
    if waits and not as_json:
        out.print(f"It waits: {waits}.", markup=False)


def why_it_waits(job: str, outlook: history_pb2.ExplainQueueResponse) -> str:
    """Why no trainer takes the job at once; empty: one does, or has it, or it is not in the queue."""
    found = next((one for one in outlook.jobs if one.job == job), None)
    if found is None or (found.trainer and found.starts_at_us <= outlook.now_us):
        return ""
    return found.why
