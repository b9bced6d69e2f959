"""Which hooks an event sets off."""

import pytest
from made_events import beginning, numbered, snapshot

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.server.decide.hooks import missed, set_off
from guessbook.store.config import Hook

FAILED = Hook("failed", ("job_failed", "backup_failed"), command="true")
ALARM = Hook("alarm", ("regression",), command="true")


def names(book: Book, event: e.Event) -> list[str]:
    return [hook.name for hook in set_off(book, [FAILED, ALARM], event)]


def test_an_event_sets_off_the_hooks_that_wait_for_its_kind() -> None:
    assert names(Book(), e.Event(backup_failed=e.BackupFailed())) == ["failed"]
    assert names(Book(), e.Event(job_completed=e.JobCompleted())) == []


@pytest.mark.parametrize(
    ("before", "now", "alarmed"),
    [
        ([True, True], [True, False], True),
        ([True, True], [True, True], False),
        ([False, False], [False, False], False),
    ],
)
def test_a_regression_is_more_regressed_examples_than_before(
    before: list[bool], now: list[bool], alarmed: bool
) -> None:
    events = numbered([*beginning(2), *snapshot(0, [1.0] * 2, before), *snapshot(10, [1.0] * 2, now)])
    assert names(book_fold.fold(events), events[-1]) == ["alarm"] * alarmed


def test_a_regression_that_stays_is_told_once() -> None:
    stages = [[True, True], [True, False], [True, False]]
    events = beginning(2)
    for number, correct in enumerate(stages):
        events += snapshot(10 * number, [1.0] * 2, correct)
    told = numbered(events)
    ends = [event for event in told if event.HasField("snapshot_completed")]
    book = book_fold.fold(told)
    assert [names(book, event) for event in ends] == [[], ["alarm"], []]


def test_a_hook_that_ran_once_misses_what_came_after() -> None:
    ran = e.Event(subject="hook/failed", causation=1, hook_ran=e.HookRan(ok=True))
    events = numbered(
        [e.Event(subject="job/x", job_queued=e.JobQueued()), ran, e.Event(subject="job/y", job_queued=e.JobQueued())]
    )
    book = book_fold.fold(events)
    answered = book.hooks.answered
    assert [missed(answered, FAILED, event) for event in events] == [False, True, True]
    assert not missed(answered, ALARM, events[-1]), "it never ran, so nothing is made up for"
