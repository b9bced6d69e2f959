"""Folds: complete, in order, and the same however the log is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_events import JOB, RUN, beginning, numbered, snapshot, step

from guessbook.projections import book as book_fold
from guessbook.projections import examples, views
from guessbook.projections.book import FOLDS, Book, Gap
from guessbook.projections.column import CHUNK
from guessbook.projections.fold import BODIES, UnknownEvent
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event

# Facts that no fold shows yet: the log and `guessbook log` do.
SHOWN_BY_NO_FOLD = {
    "config_changed",
    "dataset_rejected",
    "server_started",
    "token_created",
    "token_revoked",
}


def test_every_kind_of_event_has_a_handler_or_is_known_to_have_none() -> None:
    handled = {name for handlers in FOLDS.values() for name in handlers}
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


def _shown(book: Book) -> tuple[object, ...]:
    """Everything a book says."""
    stories = [examples.trajectory(book, RUN, f"#{i}") for i in range(2)]
    asked = h.ListExamplesRequest(run=RUN)
    return (
        views.run(book, RUN),
        views.steps(book, RUN),
        views.status(book),
        views.jobs(book),
        examples.page(book, asked),
        *stories,
    )


@settings(deadline=None)  # a busy machine makes no fold wrong
@given(steps=st.integers(0, 20), cut=st.integers(0, 70), resumed_at=st.integers(0, 20))
def test_a_fold_does_not_depend_on_where_it_was_forked_and_a_fork_changes_nothing(
    steps: int, cut: int, resumed_at: int
) -> None:
    resumed = Event(subject=f"job/{JOB}", job_resumed=e.JobResumed(run=RUN, step=resumed_at))
    events = numbered([*_log(steps), resumed, *_log(steps)[5:]])
    whole = book_fold.fold(events)
    early = book_fold.fold(events[:cut])
    before = _shown(early)
    later = book_fold.fold(events[cut:], early.fork())
    assert _shown(later) == _shown(whole)
    assert _shown(early) == before
    assert _shown(book_fold.fold(events[cut:], early)) == _shown(whole)
    assert _shown(later) == _shown(whole)


def test_a_long_run_keeps_its_past_while_it_goes_on() -> None:
    """Longer than a chunk of a column, and forked in the middle of one."""
    book = book_fold.fold(numbered(beginning(2)))
    steps = 3 * CHUNK + 100
    forks: dict[int, Book] = {}
    for number in range(1, steps + 1):
        book = book_fold.apply(
            book, numbered([step(number, examples=[number % 2], losses=[float(number)])], book.position + 1)[0]
        )
        if number % (CHUNK // 3) == 0:
            forks[number] = book.fork()
    for number, fork in forks.items():
        curves, story = views.steps(fork, RUN), examples.trajectory(fork, RUN, "#1")
        assert curves
        assert story
        assert list(curves.step) == list(range(1, number + 1))
        assert [visit.step for visit in story.visits] == list(range(1, number + 1, 2))
        assert [visit.loss for visit in story.visits] == [float(step) for step in range(1, number + 1, 2)]


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
