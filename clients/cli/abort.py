"""`guessbook abort`."""

from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli.guarding import ReasonOption
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def abort(
    operation: Annotated[str, typer.Argument(metavar="ID", help="The operation, as `guessbook audit` lists it.")],
    reason: ReasonOption = "",
    as_json: AsJson = False,
) -> None:
    """End a consolidation that waits for a trainer. What it is about stays as it was; its job is cancelled.

    Example: guessbook abort 1f3a9c02b4d7 --reason "no trainer before Monday"
    """
    with Guessbook() as book:
        answer = book.abort_operation(operation, reason=reason)
    show(answer, Text(f"{operation} is ended: {answer.operation.error}. {answer.operation.hint}"), as_json)
