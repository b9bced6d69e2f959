"""What is said of a job while it is followed: snapshots, changed guesses, what the budget left out."""

import io
from collections.abc import Iterator
from typing import Any, cast

from made_events import JOB, RUN, numbered
from rich.console import Console

from guessbook.clients.cli.following import Follower
from guessbook.clients.client import Guessbook
from guessbook.clients.reading import Answer
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Example, Trajectory


class Told:
    """A book that tells these events and knows every example's prompt."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def subscribe(self, *_: Any, **__: Any) -> Iterator[Answer]:
        yield Answer(self._events, len(self._events), len(self._events) + 1)

    def trajectory(self, run: str, example: str) -> Trajectory:
        return Trajectory(run=run, example=Example(prompt=f"prompt {example}"))


def followed(*events: Event) -> str:
    lease = Event(subject=f"job/{JOB}", job_leased=e.JobLeased(run=RUN))
    end = Event(subject=f"job/{JOB}", job_completed=e.JobCompleted(step=10))
    console = Console(file=io.StringIO(), width=160)
    follower = Follower(cast(Guessbook, Told(numbered([lease, *events, end]))), JOB, console)
    assert follower.follow(1).HasField("job_completed")
    return cast(io.StringIO, console.file).getvalue()


def observed(step: int, guess: list[str], **columns: Any) -> Event:
    many = len(guess)
    body = e.ExamplesObserved(step=step, example_index=range(many), guess=guess, correct=[False] * many, **columns)
    return Event(subject=f"run/{RUN}", examples_observed=body)


def completed(step: int, **fields: Any) -> Event:
    body = e.SnapshotCompleted(step=step, examples=2, mean_loss=1.5, **fields)
    return Event(subject=f"run/{RUN}", snapshot_completed=body)


def test_what_is_kept_of_a_guess_is_shown_with_it() -> None:
    shown = followed(
        observed(0, ["The capital is Lyon", "5"]),
        completed(0),
        observed(5, ["Paris", ""], kept=[15, 1]),
        completed(5),
    )
    assert '"The capital is Lyon" → "The capital is Paris"' in shown
    assert shown.count("prompt #1") == 1  # its guess did not change


def test_what_was_only_measured_is_no_change() -> None:
    shown = followed(
        observed(0, ["Lyon", "5"]),
        completed(0),
        observed(5, ["", "6"], guessed=[False, True]),
        observed(9, ["!", ""], kept=[4, 0]),
        completed(9),
    )
    assert '"Lyon" → "Lyon!"' in shown
    assert '"5" → "6"' in shown


def test_the_budgets_word_and_the_held_out_examples_are_told() -> None:
    thinned = e.SnapshotThinned(step=5, reason="4 of 10 guesses are made: …")
    shown = followed(
        Event(subject=f"run/{RUN}", snapshot_thinned=thinned),
        completed(5, held_out=8, held_out_correct=3, held_out_loss=2.25),
    )
    assert "step 5: 4 of 10 guesses are made" in shown
    assert "held out 3 of 8, 2.25" in shown
