"""`guessbook priority JOB LEVEL`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, Preempt, Priority, WaitingJob
from guessbook.clients.cli.steering import tell
from guessbook.clients.client import Guessbook


def priority(
    job: WaitingJob,
    level: Annotated[Priority, typer.Argument(metavar="LEVEL", help="urgent, high, normal or low.")],
    preempt: Preempt = False,
    as_json: AsJson = False,
) -> None:
    """Give a job another priority. Urgent ones run first, then high, normal and low.

    Example: guessbook priority train_20251117_103000 urgent --preempt
    """
    with Guessbook() as book:
        answer = book.set_priority(job, level.number(), preempt=preempt)
    tell(answer, as_json)
