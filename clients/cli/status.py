"""`guessbook status`."""

from guessbook.clients.cli import status_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def status(at: AtOption = None, as_json: AsJson = False) -> None:
    """Show what is going on: the current run, the queue, the trainer, the log.

    Example: guessbook status --at 40
    """
    with Guessbook() as book:
        answer = book.status(at)
        coverage = book.backups(at).coverage
    show(answer, status_view.status(answer, coverage), as_json)
