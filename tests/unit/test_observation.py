import math

import numpy as np
import pytest

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer import observation
from guessbook.trainer.encoding import Encoded
from guessbook.trainer.expectation import Expectation
from guessbook.trainer.guess import Guess
from guessbook.trainer.observation import MARGIN, Observation, Tally, Tracked, chunks, columns, shown, track
from guessbook.trainer.snapshot import BATCH_ROWS, BATCH_TOKENS, batches


def tracked(index: int, prompt: str = "p", expected: str = "yes", *, length: int = 5, limit: int = 8) -> Tracked:
    encoded = Encoded(index, np.zeros(length, dtype=np.int32), length - 2, truncated=False)
    return Tracked(Example(index, str(index), prompt, expected), encoded, limit)


def seen(index: int, guess: str, loss: float = 1.0, *, prompt: str = "p") -> Observation:
    return Observation(tracked(index, prompt), Guess(guess, 0.5), Expectation(loss, 0.25))


def test_a_guess_is_right_when_it_equals_the_expected_answer_after_normalisation() -> None:
    assert seen(0, " Yes. ").correct
    assert not seen(0, "yes it is").correct


def test_plain_text_is_right_under_a_loss_of_one_half() -> None:
    assert seen(0, "anything", 0.49, prompt="").correct
    assert not seen(0, "yes", 0.5, prompt="").correct


def test_columns_have_one_entry_for_each_observation() -> None:
    event = columns([seen(1, "yes", 2.0), seen(4, "no", 0.0)], step=25)
    assert event.step == 25
    assert list(event.example_index) == [1, 4]
    assert list(event.guess) == ["yes", "no"]
    assert list(event.correct) == [True, False]
    assert list(event.token_accuracy) == [0.25, 0.25]
    assert list(event.confidence) == [0.5, 0.5]
    assert list(event.expected_probability) == pytest.approx([math.exp(-2), 1.0])


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
    assert (tally.examples, tally.correct, tally.loss, tally.accuracy) == (2, 1, 4.0, 0.5)


def test_batches_hold_everything_once_and_stay_within_their_bounds() -> None:
    examples = [tracked(index, length=3 + index % 700, limit=10) for index in range(300)]
    parts = list(batches(examples))
    assert sorted(one.example.index for part in parts for one in part) == list(range(300))
    for part in parts:
        widest = max(len(one.encoded.input_ids) + one.limit for one in part)
        assert len(part) <= BATCH_ROWS
        assert widest * len(part) <= BATCH_TOKENS


def test_an_example_wider_than_a_batch_goes_alone() -> None:
    wide = tracked(0, length=BATCH_TOKENS + 1)
    assert [len(part) for part in batches([tracked(1), wide])] == [1, 1]
