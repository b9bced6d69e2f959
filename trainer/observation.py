"""What is known of one example at one step, and how many of those go into an event. Knows no model and no training."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guessbook.proto.events_pb2 import ExamplesObserved, TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer.encoding import Encoded
from guessbook.trainer.expectation import Expectation
from guessbook.trainer.guess import Guess
from guessbook.trainer.normalise import normalise

MARGIN = 16  # tokens a guess may be longer than what is expected
CHUNK_EXAMPLES = 256
CHUNK_BYTES = 512 * 1024
GUESS_BYTES = 64 * 1024
LEARNED_LOSS = 0.5  # nats; for plain text, where no exact form exists


@dataclass(frozen=True)
class Tracked:
    """A tracked example and how many tokens its guess may have."""

    example: Example
    encoded: Encoded
    limit: int


@dataclass(frozen=True)
class Observation:
    tracked: Tracked
    guess: Guess
    expectation: Expectation

    @property
    def correct(self) -> bool:
        example = self.tracked.example
        if not example.prompt and not example.turns:
            return self.expectation.loss < LEARNED_LOSS
        return normalise(self.guess.text) == normalise(example.expected)


@dataclass
class Tally:
    """What a snapshot adds up to."""

    examples: int = 0
    correct: int = 0
    loss: float = 0.0  # the sum of the examples' mean losses

    def add(self, observation: Observation) -> None:
        self.examples += 1
        self.correct += observation.correct
        self.loss += observation.expectation.loss

    @property
    def accuracy(self) -> float:
        return self.correct / self.examples


def track(
    examples: Sequence[Example], encoded: Sequence[Encoded], indices: Sequence[int], config: TrainingConfig
) -> list[Tracked]:
    """The tracked examples, each with the longest guess it may have: the config's, else a little over what is expected."""
    return [
        Tracked(examples[index], encoded[index], config.max_new_tokens or encoded[index].answer_length + MARGIN)
        for index in indices
    ]


def chunks(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    """Observations in parts that each fit into one event, by index within a part."""
    chunk: list[Observation] = []
    size = 0
    for observation in observations:
        bytes_ = len(shown(observation.guess.text).encode())
        if chunk and (len(chunk) == CHUNK_EXAMPLES or size + bytes_ > CHUNK_BYTES):
            yield by_index(chunk)
            chunk, size = [], 0
        chunk.append(observation)
        size += bytes_
    if chunk:
        yield by_index(chunk)


def by_index(chunk: list[Observation]) -> list[Observation]:
    return sorted(chunk, key=lambda observation: observation.tracked.example.index)


def shown(guess: str) -> str:
    """A guess as it is recorded: at most 64 KiB of UTF-8, cut between two characters."""
    return guess.encode()[:GUESS_BYTES].decode(errors="ignore")


def columns(chunk: Sequence[Observation], step: int) -> ExamplesObserved:
    return ExamplesObserved(
        step=step,
        example_index=[one.tracked.example.index for one in chunk],
        guess=[shown(one.guess.text) for one in chunk],
        loss=[one.expectation.loss for one in chunk],
        token_accuracy=[one.expectation.token_accuracy for one in chunk],
        correct=[one.correct for one in chunk],
        confidence=[one.guess.confidence for one in chunk],
        expected_probability=[math.exp(-one.expectation.loss) for one in chunk],
    )
