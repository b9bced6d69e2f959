"""`guessbook restore`: a version, out of the trash. A whole data folder comes back with `guessbook backup restore`."""

from rich.text import Text

from guessbook.clients.cli.options import AsJson, VersionArgument
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def restore(version: VersionArgument, as_json: AsJson = False) -> None:
    """Take a deleted version out of the trash.

    Example: guessbook restore v002
    """
    with Guessbook() as book:
        answer = book.restore_version(version)
    show(answer, Text(answer.message), as_json)
