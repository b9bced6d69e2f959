"""Every observation of a run, part by part."""

import pytest
from made_events import RUN, beginning, numbered, snapshot

from guessbook.projections import book as book_fold
from guessbook.projections import examples, observations
from guessbook.projections.names import Unknown
from guessbook.proto import history_pb2 as h

COUNT = observations.PART + 7


def _read(book: book_fold.Book, steps: list[int] | None = None, **asked: object) -> list[h.Observations]:
    chosen = h.ListExamplesRequest(run=RUN, **asked)  # type: ignore[arg-type]
    return list(observations.observations(book, h.ReadObservationsRequest(filter=chosen, steps=steps)) or [])


def test_parts_are_small_and_hold_everything_once() -> None:
    events = [
        *beginning(COUNT),
        *snapshot(0, [4.0] * COUNT, [False] * COUNT),
        *snapshot(9, [1.0] * COUNT, [True] * COUNT),
    ]
    book = book_fold.fold(numbered(events))
    parts = _read(book)
    assert [(part.snapshot.step, len(part.example_index)) for part in parts] == [(0, 1000), (0, 7), (9, 1000), (9, 7)]
    assert [index for part in parts[2:] for index in part.example_index] == list(range(COUNT))
    story = examples.trajectory(book, RUN, f"#{COUNT - 1}")
    assert story
    assert list(story.observations) == [part.observations[-1] for part in (parts[1], parts[3])]


def test_a_part_with_long_guesses_is_smaller() -> None:
    events = snapshot(0, [4.0] * 30, [False] * 30)
    events[1].examples_observed.guess[:] = ["ä" * 60_000] * 30
    parts = _read(book_fold.fold(numbered([*beginning(30), *events])))
    assert [index for part in parts for index in part.example_index] == list(range(30))
    assert max(part.ByteSize() for part in parts) < 2_000_000


def test_a_filter_and_steps_leave_out_the_rest() -> None:
    book = book_fold.fold(
        numbered([*beginning(3), *snapshot(0, [4.0] * 3, [True, False, True]), *snapshot(9, [1.0] * 2, [True] * 2)])
    )
    assert [(part.snapshot.step, list(part.example_index)) for part in _read(book, indices=[1, 2])] == [
        (0, [1, 2]),
        (9, [1]),
    ]
    assert [(part.snapshot.step, list(part.example_index)) for part in _read(book, [9], category="even")] == [(9, [0])]
    with pytest.raises(Unknown, match="no snapshot at step 4"):
        _read(book, [4])
    nobody = h.ReadObservationsRequest(filter=h.ListExamplesRequest(run="run-9"))
    assert observations.observations(book, nobody) is None


def test_what_a_fork_says_stays_while_the_book_goes_on() -> None:
    book = book_fold.fold(
        numbered([*beginning(2), *snapshot(0, [4.0, 4.0], [False] * 2), *snapshot(5, [3.0, 3.0], [False] * 2)[:2]])
    )
    before = _read(book)
    asked = h.ReadObservationsRequest(filter=h.ListExamplesRequest(run=RUN))
    parts = observations.observations(book.fork(), asked)
    assert parts
    first = next(parts)
    later = [*snapshot(5, [3.0, 3.0], [False] * 2)[2:], *snapshot(9, [1.0, 1.0], [True] * 2)]
    book = book_fold.fold(numbered(later, book.position + 1), book)
    assert [first, *parts] == before
    assert [part.snapshot.step for part in _read(book)] == [0, 5, 9]
