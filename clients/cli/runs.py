"""`guessbook runs`."""

from guessbook.clients.cli import run_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def runs(at: AtOption = None, as_json: AsJson = False) -> None:
    """List the runs, newest first.

    Example: guessbook runs
    """
    with Guessbook() as book:
        answer = book.runs(at)
    show(answer, run_view.table(answer), as_json)
