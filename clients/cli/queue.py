"""`guessbook queue`."""

from enum import StrEnum
from typing import Annotated

import typer

from guessbook.clients.cli import queue_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import as_document, out, print_json, show
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid
from guessbook.proto import events_pb2


class Switch(StrEnum):
    """What the queue can be told to be."""

    ON = "on"
    PAUSE = "pause"
    OFF = "off"


_STATES: dict[Switch, events_pb2.QueueState.ValueType] = {
    Switch.ON: events_pb2.QUEUE_STATE_ON,
    Switch.PAUSE: events_pb2.QUEUE_STATE_PAUSED,
    Switch.OFF: events_pb2.QUEUE_STATE_OFF,
}


def queue(
    switch: Annotated[
        Switch | None,
        typer.Argument(
            metavar="[on|pause|off]", help="pause: begin no job. off: also stop what runs, for the time being."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is paused or off; everybody sees it.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say why each job is next, or has to wait.")] = False,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs: the active ones, then the queue in the order it will run, then the finished. Or turn the queue on and off.

    Example: guessbook queue --explain
    """
    if switch and (at or explain):
        raise Invalid("the queue can't be changed and asked about at once", "Leave out --at and --explain.")
    if reason and switch in (None, Switch.ON):
        raise Invalid(
            "a reason is given for nothing", "It goes with `guessbook queue pause` and `guessbook queue off`."
        )
    with Guessbook() as book:
        if switch:
            change(book, switch, reason, as_json)
            return
        jobs, outlook = book.jobs(at), book.explain(at)
    if explain:
        show(outlook, queue_view.explanation(jobs, outlook), as_json)
    else:
        show(jobs, queue_view.table(jobs, outlook), as_json)


def change(book: Guessbook, switch: Switch, reason: str, as_json: bool) -> None:
    answer = book.set_queue(_STATES[switch], reason=reason)
    if as_json:
        print_json(as_document(answer))
    else:
        out.print(answer.message, markup=False)
