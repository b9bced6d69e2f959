"""An observation as one flat row, with its example's texts: what CSV, JSON Lines and Parquet hold. Pure; knows no file."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from guessbook.clients.export.moment import utc
from guessbook.clients.export.source import Seen, Source, number, state_word


class Row(NamedTuple):
    """The columns, in order. A number is None where nothing was measured."""

    run: str
    step: int
    recorded_at: datetime  # UTC
    example_index: int
    example_id: str
    held_out: bool  # watched, never trained on
    category: str
    prompt: str
    expected: str
    guess: str
    guessed: bool  # False: measured only; guess, correct and confidence are those of the observation before
    correct: bool
    state: str  # as of this step
    loss: float | None  # nats per expected token
    token_accuracy: float | None
    confidence: float | None
    expected_probability: float | None


def rows(source: Source) -> Iterator[Row]:
    """Snapshot by snapshot, and within one in the order of the examples."""
    for snapshot, observations in source.snapshots():
        for seen in observations:
            yield _row(source, snapshot.step, seen)


def _row(source: Source, step: int, seen: Seen) -> Row:
    observation, texts = seen.observation, seen.texts
    return Row(
        run=source.run.id,
        step=step,
        recorded_at=utc(observation.recorded_at_us),
        example_index=seen.example_index,
        example_id=texts.id,
        held_out=seen.example_index >= source.run.examples,
        category=texts.category,
        prompt=texts.prompt,
        expected=texts.expected,
        guess=observation.guess,
        guessed=observation.guessed,
        correct=observation.correct,
        state=state_word(observation.state),
        loss=number(observation.loss),
        token_accuracy=number(observation.token_accuracy),
        confidence=number(observation.confidence),
        expected_probability=number(observation.expected_probability),
    )
