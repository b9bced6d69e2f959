"""What goes where: answers to standard output, everything about them to standard error. Knows no verb."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_WIDE = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}


def as_document(message: Message) -> dict[str, Any]:
    """The message as protobuf's JSON, with the names of the .proto and 64-bit integers as numbers, not as text."""
    document = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    _make_numbers(document, message.DESCRIPTOR.fields)
    return document


def _make_numbers(document: dict[str, Any], fields: Any) -> None:  # descriptors have two types, one per implementation
    for field in fields:
        if field.name not in document:
            continue
        value = document[field.name]
        if field.message_type:
            for part in value if isinstance(value, list) else [value]:
                _make_numbers(part, field.message_type.fields)
        elif field.type in _WIDE:
            document[field.name] = [int(one) for one in value] if isinstance(value, list) else int(value)


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
