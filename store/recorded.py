"""The events of a frame with what the log gave them. Knows the schema alone, so that clients can use it."""

from collections.abc import Iterable

from guessbook.proto.events_pb2 import Event
from guessbook.proto.log_pb2 import Frame


def events_of(frame: Frame) -> list[Event]:
    """A frame's events, each with its position, recorded time and actor."""
    position, recorded_at_us = frame.first_position, frame.recorded_at_us
    events: list[Event] = []
    for part in frame.parts:
        actor = part.actor
        for event in part.events.events:
            if not event.position:
                event.position = position
            event.recorded_at_us = recorded_at_us
            event.actor = actor
            position += 1
            events.append(event)
    return events


def events_in(frames: Iterable[Frame]) -> list[Event]:
    """The same of several frames, one behind the other."""
    return [event for frame in frames for event in events_of(frame)]


def leaf(event: Event) -> bytes:
    """The bytes of an event that the Merkle tree hashes. It must be as the log gives it back: with position, recorded time and actor."""
    return event.SerializeToString(deterministic=True)
