"""What is known of one example at one step, and how it goes into events."""

from typing import Any

import numpy as np
import pytest
from made_events import RUN, beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections import views
from guessbook.projections.guess_codec import Known, decode
from guessbook.proto.events_pb2 import (
    GUESS_FORM_CHANGED,
    GUESS_FORM_SAME,
    GUESS_FORM_WHOLE,
    Event,
    SnapshotCompleted,
    SnapshotStarted,
    TrainingConfig,
)
from guessbook.store.dataset import Example
from guessbook.trainer import observation
from guessbook.trainer.encoding import Encoded
from guessbook.trainer.expectation import Expectation
from guessbook.trainer.guess import Guess
from guessbook.trainer.observation import (
    MARGIN,
    Judge,
    LastGuesses,
    Observation,
    Tally,
    Tracked,
    chunks,
    columns,
    shown,
    track,
)
from guessbook.trainer.scorer import contains


def tracked(index: int, prompt: str = "p", expected: str = "yes", *, length: int = 5, limit: int = 8) -> Tracked:
    encoded = Encoded(index, np.zeros(length, dtype=np.int32), length - 2, truncated=False)
    return Tracked(Example(index, str(index), prompt, expected), encoded, limit)


def seen(
    index: int,
    guess: str | None,
    loss: float = 1.0,
    *,
    prompt: str = "p",
    last: LastGuesses | None = None,
    judge: Judge | None = None,
) -> Observation:
    told = None if guess is None else Guess(guess, 0.5, (1, 2))
    return (last or LastGuesses()).observe(judge or Judge(), tracked(index, prompt), told, Expectation(loss, 0.25))


def test_a_guess_is_right_when_it_equals_the_expected_answer_after_normalisation() -> None:
    assert seen(0, " Yes. ").correct
    assert not seen(0, "yes it is").correct


def test_another_scorer_decides_otherwise() -> None:
    assert seen(0, "yes it is", judge=Judge(contains)).correct


def test_plain_text_is_right_under_a_loss_of_one_half_or_of_what_the_job_says() -> None:
    assert seen(0, "anything", 0.49, prompt="").correct
    assert not seen(0, "yes", 0.5, prompt="").correct
    assert seen(0, "anything", 0.9, prompt="", judge=Judge(learned_loss=1.0)).correct


def test_plain_text_is_lost_again_only_at_a_fifth_more() -> None:
    last = LastGuesses()
    told = [(0.55, "a"), (0.49, "a"), (0.55, "a"), (0.59, None), (0.61, None), (0.55, "a"), (0.45, None)]
    right = [seen(0, guess, loss, prompt="", last=last).correct for loss, guess in told]
    assert right == [False, True, True, True, False, False, True]


def test_the_tally_of_plain_text_is_that_of_the_log() -> None:
    """Losses around both thresholds, two of three examples only measured at a time: what the trainer counts is what the views show."""
    count, random = 30, np.random.default_rng(5)
    events = beginning(count)
    events[0].dataset_registered.form = "text"
    last, tallies = LastGuesses(), []
    for step in range(12):
        losses = random.uniform(0.44, 0.66, count).tolist()
        guesses = ["a" if not step or (step + index) % 3 == 0 else None for index in range(count)]
        chunk = [seen(index, guesses[index], losses[index], prompt="", last=last) for index in range(count)]
        tally = Tally()
        for observed in chunk:
            tally.add(observed)
        tallies.append(tally.correct)
        bodies: list[dict[str, Any]] = [
            {"snapshot_started": SnapshotStarted(step=step, examples=count)},
            {"examples_observed": columns(chunk, step)},
            {"snapshot_completed": SnapshotCompleted(step=step, examples=count, correct=tally.correct)},
        ]
        events += [Event(subject=f"run/{RUN}", **body) for body in bodies]
    run = views.run(book_fold.fold(numbered(events)), RUN)
    assert run is not None
    assert [told.correct for told in run.snapshots] == tallies
    assert 0 < min(tallies) < max(tallies)


def test_columns_have_one_entry_for_each_observation() -> None:
    event = columns([seen(1, "yes", 2.0), seen(4, "no", 0.0)], step=25)
    assert event.step == 25
    assert list(event.example_index) == [1, 4]
    assert list(event.guesses.form) == [GUESS_FORM_WHOLE, GUESS_FORM_WHOLE]
    assert np.frombuffer(event.measures, "<f2").tolist() == [2.0, 0.0, 0.25, 0.25, 0.5, 0.5]
    assert list(event.correct) == [True, False]
    # What would say nothing is left out.
    assert not event.expected_probability
    assert not event.guess
    assert not event.guessed


def test_numbers_have_three_digits() -> None:
    loss, *_ = np.frombuffer(columns([seen(0, "yes", 1.2345678)], step=1).measures, "<f2")
    assert loss == pytest.approx(1.2345678, rel=1e-3)


def test_a_loss_that_is_no_number_or_too_large_for_half_precision_is_recorded() -> None:
    event = columns([seen(0, "yes", float("nan")), seen(1, "yes", 1e6)], step=1)
    assert str(np.frombuffer(event.measures, "<f2")[:2].tolist()) == "[nan, inf]"


def test_a_guess_is_told_by_the_last_one_and_all_of_it_can_be_read_back() -> None:
    told = ["The capital is Lyon", "The capital is Paris", "The capital is Paris", "", "Paris", "Paris 🗼", "Pâris"]
    last, forms, before = LastGuesses(), [], [""] * 2
    for step, guess in enumerate(told):
        event = columns([seen(0, guess, last=last), seen(1, f"other {step}", last=last)], step)
        forms.append(event.guesses.form[0])
        known = [Known("p", "yes", one) for one in before]
        guesses = decode(event.guesses, known.__getitem__)
        before = [guesses.get(place, before[place]) for place in range(2)]
        assert before == [guess, f"other {step}"]
    assert forms == [GUESS_FORM_WHOLE, GUESS_FORM_CHANGED, GUESS_FORM_SAME, *[GUESS_FORM_CHANGED] * 4]


def test_an_example_that_is_only_measured_keeps_its_guess_for_the_next_time() -> None:
    last = LastGuesses()
    columns([seen(0, "yes", last=last)], 0)
    event = columns([seen(0, None, 0.5, last=last), seen(1, None, last=last)], 1)
    assert list(event.guessed) == [False, False]
    assert list(event.guesses.form) == [GUESS_FORM_SAME, GUESS_FORM_SAME]
    assert not event.guesses.streams
    assert list(event.correct) == [True, False]  # as at the last guess
    event = columns([seen(0, "yes and no", last=last)], 2)
    assert decode(event.guesses, lambda place: Known("p", "yes", "yes")) == {0: "yes and no"}
    assert last.draft(tracked(0)) == [1, 2]
    assert last.draft(tracked(1)) == []


def test_after_a_failure_guesses_are_recorded_whole() -> None:
    last = LastGuesses()
    seen(0, "yes", last=last)
    last.forget_texts()
    assert list(columns([seen(0, "yes", last=last)], 1).guesses.form) == [GUESS_FORM_WHOLE]


def test_a_long_guess_counts_as_it_was_recorded() -> None:
    last = LastGuesses()
    seen(0, "é" * 40_000, last=last)
    again = seen(0, "é" * 50_000, last=last)
    assert again.text == again.last == "é" * 32_768


def test_chunks_hold_at_most_256_examples_in_order_of_index() -> None:
    parts = list(chunks(seen(index, "yes") for index in reversed(range(600))))
    assert [len(part) for part in parts] == [256, 256, 88]
    for part in parts:
        indices = [one.tracked.example.index for one in part]
        assert indices == sorted(indices)


def test_chunks_stay_small_even_when_guesses_are_long() -> None:
    parts = list(chunks(seen(index, "é" * 100_000) for index in range(20)))
    assert sum(len(part) for part in parts) == 20
    for part in parts:
        assert columns(part, 1).ByteSize() < observation.CHUNK_BYTES + 4096


def test_a_long_guess_is_cut_between_two_characters() -> None:
    assert shown("é" * 40_000) == "é" * 32_768
    assert shown("a" + "é" * 40_000) == "a" + "é" * 32_767


def test_a_guess_may_be_a_little_longer_than_what_is_expected() -> None:
    one = tracked(0, length=7)
    assert track([one.example], [one.encoded], [0], TrainingConfig())[0].limit == 2 + MARGIN
    assert track([one.example], [one.encoded], [0], TrainingConfig(max_new_tokens=40))[0].limit == 40


def test_tally_adds_up() -> None:
    tally = Tally()
    for one in (seen(0, "yes", 1.0), seen(1, "no", 3.0)):
        tally.add(one)
    assert (tally.examples, tally.correct, tally.mean_loss, tally.accuracy) == (2, 1, 2.0, 0.5)
    assert Tally().mean_loss == 0
