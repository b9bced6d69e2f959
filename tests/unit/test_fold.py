"""Folds: complete, in order, and the same however the log is cut."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_events import beginning, numbered, snapshot, step

from guessbook.projections import book as book_fold
from guessbook.projections import views
from guessbook.projections.book import FOLDS, Book, Gap
from guessbook.projections.fold import BODIES, UnknownEvent
from guessbook.proto.events_pb2 import Event

# Facts that no fold shows yet: the log and `guessbook log` do.
SHOWN_BY_NO_FOLD = {"dataset_rejected", "server_started"}


def test_every_kind_of_event_has_a_handler_or_is_known_to_have_none() -> None:
    handled = {name for fold in FOLDS for name in fold.HANDLERS}
    assert handled <= BODIES
    assert BODIES - handled == SHOWN_BY_NO_FOLD


def test_an_event_of_a_newer_kind_stops_the_fold() -> None:
    newer = Event.FromString(Event(position=1, subject="job/x").SerializeToString() + bytes([0xC2, 0x3E, 0x00]))
    with pytest.raises(UnknownEvent, match="position 1"):
        book_fold.apply(Book(), newer)


def test_events_are_folded_in_order_and_once() -> None:
    events = numbered(beginning())
    book = book_fold.fold(events)
    for wrong in (events[-1], numbered([step(1)], start=book.position + 2)[0]):
        with pytest.raises(Gap):
            book_fold.apply(book, wrong)


def _log(steps: int) -> list[Event]:
    events = [*beginning(2), *snapshot(0, [4.0, 3.0], [False, False])]
    for number in range(1, steps + 1):
        events.append(step(number, examples=[0, 1], losses=[3.0, 2.0]))
        if number % 5 == 0:
            events += snapshot(number, [3.0 / number, 2.0], [number > 5, False])
    return numbered(events)


@given(steps=st.integers(0, 20), cut=st.integers(0, 60))
def test_a_fold_does_not_depend_on_where_it_was_interrupted(steps: int, cut: int) -> None:
    whole = book_fold.fold(_log(steps))
    events = _log(steps)
    book: Book = pickle.loads(pickle.dumps(book_fold.fold(events[:cut])))
    for event in events[cut:]:
        book = book_fold.apply(book, event)
    assert views.run(book, "latest") == views.run(whole, "latest")
    assert views.steps(book, "latest") == views.steps(whole, "latest")
    assert views.status(book) == views.status(whole)


def test_the_pace_leaves_out_snapshots_and_gives_the_time_to_go() -> None:
    events = numbered([*beginning(1), *(step(number) for number in range(1, 11))])
    events[4].occurred_at_us = 0
    run = views.run(book_fold.fold(events), "latest")
    assert run
    assert run.seconds_per_step == pytest.approx(1.0, abs=0.5)
    assert run.eta_seconds == pytest.approx(90 * run.seconds_per_step)


def test_thinned_curves_keep_both_ends() -> None:
    book = book_fold.fold(numbered([*beginning(1), *(step(number) for number in range(1, 101))]))
    thinned = views.steps(book, "latest", max_points=10)
    assert thinned
    assert (len(thinned.step), thinned.step[0], thinned.step[-1]) == (10, 1, 100)
    later = views.steps(book, "latest", after_step=98)
    assert later
    assert list(later.step) == [99, 100]
