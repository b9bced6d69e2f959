"""What a reader of the log gets: events with everything the log knows of them."""

from dataclasses import dataclass

from guessbook.proto.events_pb2 import Event
from guessbook.proto.log_pb2 import ReadResponse
from guessbook.store.recorded import events_in


@dataclass(frozen=True)
class Answer:
    """One answer of a subscription. Without events it is a heartbeat."""

    events: list[Event]
    head: int  # the last position of the log
    next: int  # where to go on after this answer


def answer_of(response: ReadResponse) -> Answer:
    return Answer(events_in(response.frames), response.head, response.next)
