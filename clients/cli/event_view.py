"""One event as one line. Pure, and generic: a new kind of event needs nothing here."""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.proto import events_pb2


def line(event: events_pb2.Event) -> Text:
    """Position, time, who, what it is about, what happened and its facts."""
    text = Text(f"{event.position:>7}", style="bright_black")
    text.append(f" {wording.moment(event.recorded_at_us)[5:]}", style="bright_black")
    body = event.WhichOneof("body")
    if body is None:
        return text + Text(" an event of a newer version; upgrade this client to read it", style="yellow")
    message = getattr(event, body)
    text.append(f" {message.DESCRIPTOR.name}", style="bold")
    text.append(f" {wording.one_line(event.subject)}", style="cyan")
    return (
        text + Text("".join(f" {fact}" for fact in facts(message))) + Text(f" by {event.actor}", style="bright_black")
    )


def facts(message: Message) -> list[str]:
    """The fields that are set, each as `name=value`; what is long or has parts, only by how much of it there is."""
    told = []
    for field, value in message.ListFields():
        if field.is_repeated:
            told.append(f"{field.name}[{len(value)}]")
        elif field.message_type:
            told.append(f"{field.name}{{…}}")
        elif field.type == FieldDescriptor.TYPE_BYTES:
            told.append(f"{field.name}[{len(value):,} bytes]")
        elif field.enum_type:
            told.append(f"{field.name}={field.enum_type.values_by_number[value].name}")
        elif field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
            told.append(f"{field.name}={value:.4g}")
        else:
            told.append(f"{field.name}={wording.shortened(wording.one_line(str(value)), 60)}")
    return told
