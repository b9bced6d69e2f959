"""`guessbook log`."""

from collections import deque
from typing import Annotated

import typer

from guessbook.clients.cli import event_view
from guessbook.clients.cli.following import following
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2


def log(
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="SUBJECT", help="Only this subject; job/ takes all jobs. May be repeated."),
    ] = None,
    from_: Annotated[
        int | None, typer.Option("--from", min=1, max=2**63 - 1, metavar="POSITION", help="Start here.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="At most so many; without --from the last ones.")
    ] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print events of the log. With --follow and --json: one JSON document a line.

    Example: guessbook log --subject job/ --follow
    """
    subjects = subject or []
    with Guessbook() as book:
        head = book.head().position
        events = chosen(book, head, from_, subjects, limit)
        head = max([head, *(event.position for event in events)])  # it may have grown meanwhile
        if as_json and not follow:
            print_json({"head": head, "events": [as_document(event) for event in events]})
            return
        for event in events:
            _print(event, as_json)
        if follow:
            # Where --from and --limit leave off; else behind the head, so that nothing is printed twice.
            cut_off = from_ is not None and len(events) == limit
            start = max(from_ or 1, (events[-1].position if cut_off else head) + 1)
            for answer in following(book, start, subjects):
                for event in answer.events:
                    _print(event, as_json)


def chosen(book: Guessbook, head: int, start: int | None, subjects: list[str], limit: int) -> list[events_pb2.Event]:
    """The first events from `start` on, or without it the last ones."""
    if start is not None:
        return list(book.read(start, subjects, limit)) if start <= head else []
    # How far back the last ones of a subject lie is not known.
    first = 1 if subjects else max(1, head - limit + 1)
    return list(deque(book.read(first, subjects), maxlen=limit))


def _print(event: events_pb2.Event, as_json: bool) -> None:
    if as_json:
        print_json(as_document(event))
    else:
        out.print(event_view.line(event), soft_wrap=True)
