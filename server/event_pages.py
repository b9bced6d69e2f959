"""The events of the log newest first, a page at a time. Knows the log; no gRPC and no fold.

The log is read in blocks from a position backwards, each block forwards in short transactions, so a page costs the same however long the log is: what is
held is the page itself, and a call that finds little ends early and says where to go on.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from guessbook.proto.events_pb2 import Event
from guessbook.server.decide.rejection import Invalid
from guessbook.store.errors import HistoryAbsent
from guessbook.store.log import Log

PAGE = 100
PAGE_LIMIT = 1000
PAGE_BYTES = 4_000_000  # of the events of one answer; a client takes 16 MiB
LOOK = 50_000  # events that one call looks at, about
BLOCK = 2048  # positions read at a time, at first
WIDER = 4  # where the subject index passes nearly all of a block over, the next is so many times as wide

_BODIES = {
    field.message_type.name: field.name
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type
}


@dataclass(frozen=True)
class EventFilter:
    """What is asked for; what is empty asks for nothing in particular."""

    bodies: frozenset[str] = frozenset()  # fields of `Event`
    subjects: tuple[str, ...] = ()
    actor: str = ""

    @classmethod
    def named(cls, types: Sequence[str], subjects: Sequence[str] = (), actor: str = "") -> "EventFilter":
        """`types` are names of messages, as "JobQueued". Raises Invalid."""
        for name in types:
            if name not in _BODIES:
                near = get_close_matches(name, _BODIES)
                hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(sorted(_BODIES))}."
                raise Invalid(f"there is no kind of event {name!r}", hint)
        return cls(frozenset(_BODIES[name] for name in types), tuple(subjects), actor)

    def takes(self, event: Event) -> bool:
        """Subjects aside, which the log looks after."""
        if self.actor and event.actor != self.actor:
            return False
        return not self.bodies or event.WhichOneof("body") in self.bodies


@dataclass(frozen=True)
class EventPage:
    """`events`, newest first. `next`: what is left to find is before this position; 0: nothing is."""

    events: list[Event]
    next: int


class _Block:
    """The newest of the events between two positions that a filter takes, as many as there is room for."""

    def __init__(self, events: int, size: int) -> None:
        self.looked = 0
        self.dropped = False
        self.size = 0
        self._room = events, size
        self._kept: deque[Event] = deque()

    def read(self, log: Log, wanted: EventFilter, first: int, last: int) -> bool:
        """False: there is more in it than was expected, and it was not read to its end. Raises HistoryAbsent, DamagedFrame."""
        for event in log.read_all(first, wanted.subjects, last):
            self.looked += 1
            if self.looked > BLOCK:
                return False
            if wanted.takes(event):
                self._keep(event)
        return True

    def _keep(self, event: Event) -> None:
        most, most_bytes = self._room
        self._kept.append(event)
        self.size += event.ByteSize()
        while len(self._kept) > most or (self.size > most_bytes and len(self._kept) > 1):
            self.size -= self._kept.popleft().ByteSize()
            self.dropped = True

    @property
    def newest_first(self) -> list[Event]:
        return list(reversed(self._kept))


def newest_first(log: Log, wanted: EventFilter, before: int, limit: int = 0) -> EventPage:
    """The events at positions before one. Raises DamagedFrame, and HistoryAbsent where the first of them were archived and the archive isn't there.

    At most `limit` (0: PAGE), and about PAGE_BYTES; fewer where LOOK events were looked at.
    """
    limit = min(limit or PAGE, PAGE_LIMIT)
    found: list[Event] = []
    room, looked, width = PAGE_BYTES, 0, BLOCK
    while before > 1 and looked < LOOK and len(found) < limit and room > 0:
        block = _Block(limit - len(found), room)
        first = max(1, before - width)
        try:
            whole = block.read(log, wanted, first, before - 1)
        except HistoryAbsent as absent:
            if absent.last < before - 1:
                width = before - 1 - absent.last  # what is behind the archive is there
                continue
            if not looked:
                raise
            break
        looked += block.looked
        if not whole:
            width = max(BLOCK, width // WIDER)
            continue
        found += block.newest_first
        room -= block.size
        if block.dropped:
            return EventPage(found, found[-1].position)
        before = first
        if block.looked < BLOCK // WIDER:
            width *= WIDER
    return EventPage(found, before if before > 1 else 0)
