"""`guessbook move JOB`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, WaitingJob
from guessbook.clients.cli.steering import tell
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid


def move(
    job: WaitingJob,
    before: Annotated[str, typer.Option(metavar="JOB", help="Directly before this one, with its priority.")] = "",
    front: Annotated[bool, typer.Option("--front", help="Before all others of its priority.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Behind all others of its priority.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a waiting job another place in the queue.

    Example: guessbook move train_20251117_103000 --front
    """
    if bool(before) + front + back != 1:
        raise Invalid("it isn't said where the job goes", "Give one of --before JOB, --front and --back.")
    with Guessbook() as book:
        answer = book.move(job, before=before, to_front=front)
    tell(answer, as_json)
