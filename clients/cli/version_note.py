"""`guessbook version note`."""

from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli.options import AsJson, VersionArgument
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def note(
    version: VersionArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember of it; in place of the note before.")],
    as_json: AsJson = False,
) -> None:
    """Write a note on a version. It stands in metadata.json too.

    Example: guessbook version note v001 "the one that was shown on Monday"
    """
    with Guessbook() as book:
        answer = book.note_version(version, text)
    show(answer, Text(answer.message), as_json)
