"""The axis of the time bar, and the marks on it. Pure; knows no component.

Real time would be of no use: a night without an event takes as much room as an evening full of snapshots. So between two marks the axis counts events, and every
place on it is an exact position; how far apart the marks stand grows with the logarithm of the time between them, and has a least. So none hides another, and
a long pause is a little longer than a short one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Run, Version
from guessbook.proto.safety_pb2 import Backup, Operation

MOST = 40  # marks: on a narrow screen they are then some 6 px apart
LEAST = 2.0  # between two marks, where another e seconds between them add 1
KINDS = ("operation", "version", "snapshot", "backup")  # the rare ones first


@dataclass(frozen=True)
class Mark:
    position: int
    time_us: int
    kind: str
    text: str


@dataclass(frozen=True)
class Axis:
    """`knots`: (position, place, time in microseconds), from the log's first event to its last; place goes from 0 to 1. `of`: how many marks there would be."""

    knots: list[tuple[int, float, int]]
    marks: list[Mark]
    of: int


def axis(first_us: int, last: tuple[int, int], marks: Iterable[Mark], most: int = MOST) -> Axis:
    """`last`: position and time of the log's last event. Marks at one position become one."""
    at: dict[int, Mark] = {}
    for mark in sorted(marks, key=lambda one: (one.position, KINDS.index(one.kind))):
        first = at.get(mark.position)
        at[mark.position] = replace(first, text=f"{first.text}; {mark.text}") if first else mark
    every = [mark for mark in at.values() if 1 <= mark.position <= last[0]]
    kept = thinned(every, most)
    times = {1: first_us, last[0]: last[1]} | {mark.position: mark.time_us for mark in kept}
    positions = sorted(times)
    places = _places([times[position] / 1e6 for position in positions])
    knots = [(position, place, times[position]) for position, place in zip(positions, places, strict=True)]
    return Axis(knots, kept, len(every))


def _places(seconds: Sequence[float]) -> list[float]:
    places = [0.0]
    for before, after in pairwise(seconds):
        places.append(places[-1] + LEAST + math.log1p(max(0.0, after - before)))
    return [place / (places[-1] or 1.0) for place in places]


def thinned(marks: Sequence[Mark], most: int) -> list[Mark]:
    """At most so many, in the order of the log. Each kind may take half of the room that the rarer ones leave, thinned evenly; the last one all of it."""
    if len(marks) <= most:
        return list(marks)
    kept: list[Mark] = []
    for kind in KINDS:
        room = most - len(kept)
        kept += _evenly([mark for mark in marks if mark.kind == kind], room if kind == KINDS[-1] else room // 2)
    return sorted(kept, key=lambda mark: mark.position)


def _evenly(marks: list[Mark], most: int) -> list[Mark]:
    """The newest is always among them."""
    if len(marks) <= most:
        return marks
    return [marks[-1 - round(each * (len(marks) - 1) / max(1, most - 1))] for each in range(most)]


def marks(
    runs: Iterable[Run], versions: Iterable[Version], operations: Iterable[Operation], backups: Iterable[Backup]
) -> list[Mark]:
    """What stands out in the history of a log."""
    found = [
        Mark(
            snapshot.position,
            snapshot.recorded_at_us,
            "snapshot",
            f"Snapshot at step {snapshot.step:,} of {visible(run.name)}",
        )
        for run in runs
        for snapshot in run.snapshots
        if snapshot.complete
    ]
    found += [Mark(one.position, one.created_at_us, "version", f"Version {one.name}") for one in versions]
    found += [
        Mark(one.position, one.requested_at_us, "operation", f"{one.kind} {one.target}".strip()) for one in operations
    ]
    copies = {one.id: one for one in backups}  # one at each place
    found += [Mark(one.head, one.created_at_us, "backup", f"Backup {one.id}") for one in copies.values()]
    return found
