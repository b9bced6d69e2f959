"""Checks what a log knows of its producers' batches against its frames: each row is as it was written, none is missing, and each leads to its events."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from guessbook.store.frame import DamagedFrame, Frame
from guessbook.store.producers import batch_named, batch_of
from guessbook.store.reader import LogReader


class Parts:
    """Where each append begins, and how many events it has: 12 bytes each. Frames are added in their order."""

    def __init__(self) -> None:
        self._first = array("Q")
        self._count = array("I")

    def add(self, frame: Frame) -> None:
        position = frame.first_position
        for part in frame.message.parts:
            self._first.append(position)
            self._count.append(part.count)
            position += part.count

    def has(self, first_position: int, count: int) -> bool:
        """Whether an append of so many events begins at a position."""
        place = bisect_left(self._first, first_position)
        return place < len(self._first) and (self._first[place], self._count[place]) == (first_position, count)


def check(reader: LogReader, parts: Parts, head: int, absent: Sequence[tuple[int, int]]) -> None:
    """Raises DamagedFrame, lmdb.Error. Batches behind `head` came after the walk over the frames; those in `absent` positions can't be followed."""
    states = reader.producer_states()
    stored: Counter[str] = Counter()
    for key, row in reader.batches():
        batch, (name, sequence) = batch_of(key, row), batch_named(key)
        stored[name] += 1
        if sequence != stored[name]:
            raise DamagedFrame(batch.first_position, f"the row of batch {stored[name]} of producer {name} is gone")
        if batch.first_position > head or any(first <= batch.first_position <= last for first, last in absent):
            continue
        if not parts.has(batch.first_position, batch.count):
            said = f"batch {sequence} of producer {name} should begin here and have {batch.count} events"
            raise DamagedFrame(batch.first_position, f"{said}; there is no such append")
    for name, state in states.items():
        if stored[name] < state.last_sequence:
            raise DamagedFrame(0, f"rows of producer {name} are gone: {state.last_sequence} batches are stored")
    strangers = stored.keys() - reader.producer_states().keys()
    if strangers:
        raise DamagedFrame(0, f"batches are stored of producers that never joined: {', '.join(sorted(strangers))}")
