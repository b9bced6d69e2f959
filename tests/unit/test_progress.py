"""What a trainer asks of the log when it takes a run up again."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from folded_book import FoldedBook
from made_events import JOB, RUN, beginning, numbered, snapshot

from guessbook.clients.client import Guessbook
from guessbook.projections import book as book_fold
from guessbook.projections import observations
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import BatchSkipped, Event
from guessbook.proto.history_pb2 import At, ListExamplesRequest, Observations, ReadObservationsRequest
from guessbook.trainer.progress import Past, read_past


class Log(FoldedBook):
    """Its events too, and every observation of them."""

    def __init__(self, events: list[Event]) -> None:
        self._events = numbered(events)
        self._folded: Book = book_fold.fold(self._events)
        super().__init__(self._folded)

    def read(self, from_position: int = 1, subjects: Sequence[str] = (), limit: int = 0) -> Iterator[Event]:
        return (event for event in self._events if event.subject in subjects)

    def observations(self, run: str, at: At | None = None, **asked: Any) -> Iterator[Observations]:
        request = ReadObservationsRequest(filter=ListExamplesRequest(run=run), **asked)
        found = observations.observations(self._folded, request)
        assert found is not None
        return found


def past(events: list[Event], step: int) -> Past:
    return read_past(cast(Guessbook, Log(events)), RUN, step)


def measured(step: int, count: int) -> list[Event]:
    """A snapshot in which nothing was guessed."""
    events = snapshot(step, [1.0] * count, [False] * count)
    events[1].examples_observed.guessed.extend([False] * count)
    return events


@pytest.mark.parametrize(
    ("step", "correct"),
    [
        (0, {0: False, 1: True, 2: False}),
        (9, {0: False, 1: True, 2: False}),
        (10, {0: True, 1: True, 2: False}),
        (20, {0: True, 1: True, 2: False}),  # only measured, so as it was at 10
        (30, {0: True, 1: True, 2: False}),  # is taken anew, from what was known before
        (99, {0: True, 1: True, 2: True}),  # the snapshot at 30 failed behind #2
    ],
)
def test_what_was_right_at_the_checkpoint_is_known(step: int, correct: dict[int, bool]) -> None:
    failed = snapshot(30, [1.0] * 3, [True] * 3)[:2]
    observed = failed[1].examples_observed
    for column in (observed.guess, observed.loss, observed.token_accuracy, observed.correct, observed.confidence):
        del column[:2]
    del observed.expected_probability[:2]
    del observed.example_index[:2]
    events = [
        *beginning(3),
        *snapshot(0, [1.0] * 3, [False, True, False]),
        *snapshot(10, [1.0] * 3, [True, True, False]),
        *measured(20, 3),
        *failed,
    ]
    assert past(events, step).correct == correct


def test_a_run_without_events_or_snapshots_has_nothing_to_go_on_with() -> None:
    assert past(beginning(3)[:-1], 0) == Past()
    begun = past(beginning(3), 5)
    assert begun.started
    assert begun.correct == {}


def test_a_snapshot_that_was_interrupted_and_batches_that_were_skipped_are_known() -> None:
    interrupted = [snapshot(5, [1.0] * 3, [True] * 3)[0], Event(subject=f"run/{RUN}")]
    interrupted[1].snapshot_failed.step = 5
    interrupted[1].snapshot_failed.error = "interrupted by a command"
    skips = [Event(subject=f"job/{JOB}", batch_skipped=BatchSkipped(step=number)) for number in (4, 7)]
    events = [*beginning(3), *snapshot(0, [1.0] * 3, [False] * 3), *interrupted, *skips]
    found = past(events, 5)
    assert found.snapshots == {0: True, 5: False}
    assert found.skipped == {7}
    assert "interrupted" in Log(events).run(RUN).snapshot_warning
    anew = [*events, *snapshot(5, [1.0] * 3, [True] * 3)]
    assert past(anew, 5).snapshots == {0: True, 5: True}
    assert Log(anew).run(RUN).snapshot_warning == ""
