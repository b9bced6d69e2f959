"""What is said of a job while it is followed: snapshots, changed guesses, what the budget left out."""

import io
from collections.abc import Iterator
from typing import Any, cast

from made_events import JOB, RUN, beginning, numbered
from rich.console import Console

from guessbook.clients.cli.following import Follower, failure
from guessbook.clients.client import Guessbook
from guessbook.clients.reading import Answer
from guessbook.projections import book as book_fold
from guessbook.projections.observations import observations
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import (
    At,
    Example,
    ListExamplesRequest,
    Observations,
    ReadObservationsRequest,
    Trajectory,
)


class Told:
    """A book that tells these events and knows every example's prompt."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def subscribe(self, *_: Any, **__: Any) -> Iterator[Answer]:
        yield Answer(self._events, len(self._events), len(self._events) + 1)

    def trajectory(self, run: str, example: str) -> Trajectory:
        return Trajectory(run=run, example=Example(prompt=f"prompt {example}"))

    def observations(self, run: str, at: At, *, steps: list[int]) -> Iterator[Observations]:
        book = book_fold.fold(self._events[: at.position])
        found = observations(book, ReadObservationsRequest(filter=ListExamplesRequest(run=run), steps=steps))
        assert found is not None
        return found


def followed(*events: Event) -> str:
    end = Event(subject=f"job/{JOB}", job_completed=e.JobCompleted(step=10))
    console = Console(file=io.StringIO(), width=160)
    follower = Follower(cast(Guessbook, Told(numbered([*beginning(2), *events, end]))), JOB, console)
    assert follower.follow(1).HasField("job_completed")
    return cast(io.StringIO, console.file).getvalue()


def started(step: int) -> Event:
    return Event(subject=f"run/{RUN}", snapshot_started=e.SnapshotStarted(step=step, examples=2))


def observed(step: int, guess: list[str], **columns: Any) -> Event:
    numbers = [0.5] * len(guess)
    body = e.ExamplesObserved(
        step=step,
        example_index=range(len(guess)),
        guess=guess,
        correct=[False] * len(guess),
        loss=numbers,
        token_accuracy=numbers,
        confidence=numbers,
        **columns,
    )
    return Event(subject=f"run/{RUN}", examples_observed=body)


def completed(step: int, **fields: Any) -> Event:
    body = e.SnapshotCompleted(step=step, examples=2, mean_loss=1.5, **fields)
    return Event(subject=f"run/{RUN}", snapshot_completed=body)


def test_what_is_kept_of_a_guess_is_shown_with_it() -> None:
    shown = followed(
        started(0),
        observed(0, ["The capital is Lyon", "5"]),
        completed(0),
        started(5),
        observed(5, ["Paris", ""], kept=[15, 1]),
        completed(5),
    )
    assert '"The capital is Lyon" → "The capital is Paris"' in shown
    assert shown.count("prompt #1") == 1  # its guess did not change


def test_what_was_only_measured_is_no_change() -> None:
    shown = followed(
        started(0),
        observed(0, ["Lyon", "5"]),
        completed(0),
        started(5),
        observed(5, ["", "6"], guessed=[False, True]),
        completed(5),
        started(9),
        observed(9, ["!", ""], kept=[4, 0]),
        completed(9),
    )
    assert '"Lyon" → "Lyon!"' in shown
    assert '"5" → "6"' in shown


def test_the_budgets_word_and_the_held_out_examples_are_told() -> None:
    thinned = e.SnapshotThinned(step=5, reason="4 of 10 guesses are made: …")
    shown = followed(
        Event(subject=f"run/{RUN}", snapshot_thinned=thinned),
        started(5),
        completed(5, held_out=8, held_out_correct=3, held_out_loss=2.25),
    )
    assert "step 5: 4 of 10 guesses are made" in shown
    assert "held out 3 of 8, 2.25" in shown


def test_a_job_that_makes_room_is_said_to_go_on_by_itself() -> None:
    stop = e.StopRequested(preempted_by="train_9", keep_place=True)
    shown = followed(
        Event(subject=f"job/{JOB}", stop_requested=stop),
        Event(subject=f"job/{JOB}", job_stopped=e.JobStopped(step=4)),
        Event(subject=f"job/{JOB}", batch_skipped=e.BatchSkipped(step=5, example_index=[1, 2])),
    )
    assert "stopped after step 4 to make room for train_9; it goes on by itself" in shown
    assert "step 5: no update, 2 examples were left out" in shown


def test_a_job_stopped_by_hand_waits_for_resume() -> None:
    stop = Event(subject=f"job/{JOB}", stop_requested=e.StopRequested())
    assert "`guessbook resume` goes on" in followed(stop, Event(subject=f"job/{JOB}", job_stopped=e.JobStopped(step=4)))


def test_a_cancelled_job_is_over_and_is_no_success() -> None:
    cancelled = Event(subject=f"job/{JOB}", job_cancelled=e.JobCancelled(step=4))
    follower = Follower(cast(Guessbook, Told(numbered([cancelled]))), JOB, Console(file=io.StringIO()))
    error = failure(follower.follow(1))
    assert error
    assert str(error) == "the job was cancelled at step 4"
