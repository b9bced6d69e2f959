"""What goes where: answers to standard output, everything about them to standard error. Knows no verb."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

# The verbs print with it too.
from guessbook.clients.document import as_document as as_document  # noqa: PLC0414

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One JSON document on a line of its own. Never wrapped or coloured."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def show(answer: Message, view: RenderableType, as_json: bool) -> None:
    """The answer as JSON, or its view for people."""
    if as_json:
        print_json(as_document(answer))
    else:
        out.print(view)


def complain(message: str, hint: str = "") -> None:
    """An error on standard error: what happened, and below it what to do."""
    err.print(Text("error: ", style="bold red") + Text(message), soft_wrap=True)
    if hint:
        err.print(Text(hint), soft_wrap=True)


@contextmanager
def waiting(message: str) -> Iterator[Callable[[str], None]]:
    """Shows on a terminal that something takes its time; silent elsewhere. Yields a function that changes the message."""
    if err.is_terminal:
        with err.status(message) as status:
            yield lambda changed: status.update(changed)
    else:
        yield lambda changed: None
