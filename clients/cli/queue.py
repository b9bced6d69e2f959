"""`guessbook queue`."""

from guessbook.clients.cli import job_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def queue(at: AtOption = None, as_json: AsJson = False) -> None:
    """List the jobs: the active one, then the queue in the order it will run, then the finished.

    Example: guessbook queue --json
    """
    with Guessbook() as book:
        answer = book.jobs(at)
    show(answer, job_view.table(answer), as_json)
