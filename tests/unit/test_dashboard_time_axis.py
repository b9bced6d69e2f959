"""The axis of the time bar: every place is a position, and no mark hides another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guessbook.clients.dashboard import time_axis
from guessbook.clients.dashboard.time_axis import KINDS, MOST, Mark
from guessbook.proto.history_pb2 import Run, Snapshot, Version
from guessbook.proto.safety_pb2 import Backup, Operation

HOUR_US = 3_600_000_000


def mark(position: int, time_us: int = 0, kind: str = "snapshot") -> Mark:
    return Mark(position, time_us, kind, f"{kind} {position}")


def test_a_night_takes_little_more_room_than_a_minute() -> None:
    minute, night = 60_000_000, 10 * HOUR_US
    axis = time_axis.axis(0, (30, minute + night), [mark(10, 0), mark(20, minute)])
    (_, start, _), (_, first, _), (_, second, _), (_, end, _) = axis.knots
    assert (start, end) == (0.0, 1.0)
    assert 1 < (end - second) / (second - first) < 3


def test_marks_of_one_position_become_one_that_says_both() -> None:
    axis = time_axis.axis(0, (9, 9), [mark(5, kind="backup"), mark(5, kind="version")])
    assert [(one.kind, one.text) for one in axis.marks] == [("version", "version 5; backup 5")]


def test_a_log_of_one_event_has_an_axis() -> None:
    axis = time_axis.axis(7, (1, 7), [])
    assert axis.knots == [(1, 0.0, 7)]
    assert axis.of == 0


def test_the_rare_kinds_stay_when_marks_are_many() -> None:
    many = [mark(position) for position in range(1000, 3000)]
    axis = time_axis.axis(0, (3000, 0), [*many, mark(10, kind="operation"), mark(20, kind="version")])
    assert len(axis.marks) <= MOST
    assert axis.of == 2002
    assert {mark.position for mark in axis.marks} >= {10, 20, 2999}


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(0, 10**15), st.sampled_from(KINDS)), max_size=200),
    st.integers(1, 60),
)
def test_places_grow_with_positions(given_marks: list[tuple[int, int, str]], most: int) -> None:
    marks = [Mark(position, time_us, kind, "") for position, time_us, kind in given_marks]
    axis = time_axis.axis(5, (400, 10**15), marks, most)
    assert len(axis.marks) <= most
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(axis.knots))
    assert {mark.position for mark in axis.marks} <= {position for position, _, _ in axis.knots}


def test_what_stands_out_is_marked() -> None:
    snapshots = [
        Snapshot(step=1000, position=5, recorded_at_us=50, complete=True),
        Snapshot(step=2000, position=9, complete=False),
    ]
    found = time_axis.marks(
        [Run(name="facts.jsonl", snapshots=snapshots)],
        [Version(name="v001_x", position=6, created_at_us=60)],
        [Operation(kind="rollback", target="v001_x", position=7, requested_at_us=70)],
        [Backup(id="b", place="here", head=6, created_at_us=65), Backup(id="b", place="there", head=6)],
    )
    assert [(one.position, one.text) for one in found] == [
        (5, "Snapshot at step 1,000 of facts.jsonl"),
        (6, "Version v001_x"),
        (7, "rollback v001_x"),
        (6, "Backup b"),
    ]
