"""`guessbook status`."""

from guessbook.clients.cli import status_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Rejected
from guessbook.proto.safety_pb2 import Coverage


def status(at: AtOption = None, as_json: AsJson = False) -> None:
    """Show what is going on: the current run, the queue, the trainer, the log.

    Example: guessbook status --at 40
    """
    with Guessbook() as book:
        answer = book.status(at)
        try:
            coverage = book.backups(at).coverage
        except Rejected as error:  # config.yaml is broken; everything else is as it was
            coverage = Coverage(sentence=str(error), advice=error.hint)
    show(answer, status_view.status(answer, coverage), as_json)
