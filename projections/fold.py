"""What all folds share: a table from event to handler, and the rule that no event is passed over unknown."""

from collections.abc import Callable, Mapping
from typing import Any

from guessbook.proto.events_pb2 import Event

BODIES = frozenset(field.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields)

# A handler changes the state in place with (state, event, body).
Handlers = Mapping[str, Callable[[Any, Event, Any], None]]


class UnknownEvent(Exception):
    """An event that this program doesn't know: it was written by a newer one. Folding on would show a wrong state."""

    def __init__(self, event: Event) -> None:
        super().__init__(
            f"the event at position {event.position} ({event.subject}) is of a kind this version of Guessbook doesn't know; "
            "the log is fine, update Guessbook"
        )


class Misplaced(Exception):
    """An event about something that isn't there: a step of a run that never started, say. The fold that raises it is as it was before."""
