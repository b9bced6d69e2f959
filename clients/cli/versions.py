"""`guessbook versions`."""

from guessbook.clients.cli import run_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def versions(at: AtOption = None, as_json: AsJson = False) -> None:
    """List the trained versions, with what they knew before and after.

    Example: guessbook versions
    """
    with Guessbook() as book:
        answer = book.versions(at)
    show(answer, run_view.versions(answer), as_json)
