"""`guessbook log`."""

from typing import Annotated

import typer

from guessbook.clients.cli import event_view
from guessbook.clients.cli.following import subscription
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2


def log(
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="SUBJECT", help="Only this subject; job/ takes all jobs. May be repeated."),
    ] = None,
    from_: Annotated[int | None, typer.Option("--from", min=1, metavar="POSITION", help="Start here.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many; without --from the last ones.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print events of the log. With --follow and --json: one JSON document a line.

    Example: guessbook log --subject job/ --follow
    """
    subjects = subject or []
    with Guessbook() as book:
        head = book.head().position
        first = from_ if from_ is not None else max(1, head - limit + 1)
        events = list(book.read(first, subjects, limit)) if first <= head else []
        if as_json and not follow:
            print_json({"head": head, "events": [as_document(event) for event in events]})
            return
        for event in events:
            _print(event, as_json)
        if follow:
            start = events[-1].position + 1 if len(events) == limit else head + 1
            for answer in subscription(book, max(start, first), subjects):
                for event in answer.events:
                    _print(event, as_json)


def _print(event: events_pb2.Event, as_json: bool) -> None:
    if as_json:
        print_json(as_document(event))
    else:
        out.print(event_view.line(event), soft_wrap=True)
