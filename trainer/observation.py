"""What is known of one example at one step, and how many of those go into an event. Knows no model and no training."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from guessbook.projections import guess_codec
from guessbook.projections.guess_codec import Known
from guessbook.proto.events_pb2 import ExamplesObserved, TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer.encoding import Encoded
from guessbook.trainer.expectation import Expectation
from guessbook.trainer.guess import Guess
from guessbook.trainer.losses import half_precision
from guessbook.trainer.scorer import Scorer, match

MARGIN = 16  # tokens a guess may be longer than what is expected
CHUNK_EXAMPLES = 256
CHUNK_BYTES = 512 * 1024
GUESS_BYTES = 64 * 1024
LEARNED_LOSS = 0.5  # nats; for plain text, where no exact form exists
UNLEARNED = 1.2  # so many times that, and plain text that was learned is so no longer


@dataclass(frozen=True)
class Tracked:
    """An example that snapshots look at, and how many tokens its guess may have. One that is held out is never trained on."""

    example: Example
    encoded: Encoded
    limit: int
    held_out: bool = False


@dataclass(frozen=True)
class Observation:
    """`guess`: None where the example was only measured; unless its loss decides, `correct` is then that of the guess before.

    `last`: the guess before as it was recorded; None where there is none, or it isn't sure to have been.
    """

    tracked: Tracked
    guess: Guess | None
    expectation: Expectation
    correct: bool
    last: str | None = None

    @property
    def text(self) -> str | None:
        """The guess as it is recorded."""
        return shown(self.guess.text) if self.guess else None

    @property
    def known(self) -> Known:
        """What who reads the record knows of the example."""
        return Known(self.tracked.example.prompt, self.tracked.example.expected, self.last)


@dataclass(frozen=True)
class Judge:
    """Whether an observation is right: by the job's scorer, and for plain text, where no exact form exists, by its loss.

    The log's views decide the same (docs/evolution_tracking.md, "States").
    """

    scorer: Scorer = match
    learned_loss: float = LEARNED_LOSS

    def right(self, tracked: Tracked, guess: Guess | None, expectation: Expectation, *, before: bool) -> bool:
        """`before`: whether the example was right at its last observation."""
        example = tracked.example
        if not example.prompt and not example.turns:
            bound = (UNLEARNED if before else 1.0) * self.learned_loss
            (recorded,) = half_precision([expectation.loss])
            return bool(np.float32(recorded) < np.float32(bound))
        return before if guess is None else self.scorer(guess.text, example.expected)


@dataclass
class LastGuesses:
    """Each example's last guess in this run, as far as this process has recorded it: by the example's index.

    `correct` begins with what the log knows of a run that is taken up again.
    """

    text: dict[int, str] = field(default_factory=dict)  # as it was recorded
    tokens: dict[int, npt.NDArray[np.int32]] = field(default_factory=dict)
    correct: dict[int, bool] = field(default_factory=dict)

    def draft(self, tracked: Tracked) -> list[int]:
        """The tokens of the example's last guess; none if there was none."""
        tokens = self.tokens.get(tracked.example.index)
        return [] if tokens is None else tokens.tolist()

    def observe(self, judge: Judge, tracked: Tracked, guess: Guess | None, expectation: Expectation) -> Observation:
        """One more observation, which is from now on the last of its example."""
        index = tracked.example.index
        right = judge.right(tracked, guess, expectation, before=self.correct.get(index, False))
        self.correct[index] = right
        observation = Observation(tracked, guess, expectation, right, self.text.get(index))
        if guess is not None:
            self.text[index] = shown(guess.text)
            self.tokens[index] = np.array(guess.tokens, dtype=np.int32)
        return observation

    def forget_texts(self) -> None:
        """What was recorded last is not sure: the next guesses are recorded whole."""
        self.text.clear()


@dataclass
class Tally:
    """What a snapshot adds up to, of some examples."""

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

    @property
    def mean_loss(self) -> float:
        return self.loss / self.examples if self.examples else 0.0


def track(
    examples: Sequence[Example],
    encoded: Sequence[Encoded],
    indices: Sequence[int],
    config: TrainingConfig,
    *,
    held_out: bool = False,
) -> list[Tracked]:
    """The examples at these places, each with the longest guess it may have: the config's, else a little over what is expected."""
    return [
        Tracked(
            examples[place], encoded[place], config.max_new_tokens or encoded[place].answer_length + MARGIN, held_out
        )
        for place in indices
    ]


def chunks(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    """Observations in parts that each fit into one event, by index within a part."""
    chunk: list[Observation] = []
    size = 0
    for observation in observations:
        text = observation.text
        bytes_ = 0 if text is None or text == observation.last else len(text.encode())
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
    """The observations as an event. A column that would say nothing stays empty. Numbers have half precision, which is 3 digits."""
    guessed = [one.guess is not None for one in chunk]
    measures = (
        [one.expectation.loss for one in chunk],
        [one.expectation.token_accuracy for one in chunk],
        [one.guess.confidence if one.guess else 0.0 for one in chunk],
    )
    return ExamplesObserved(
        step=step,
        example_index=[one.tracked.example.index for one in chunk],
        guesses=guess_codec.encode((one.known, one.text) for one in chunk),
        measures=np.array([half_precision(column) for column in measures], dtype="<f2").tobytes(),
        correct=[one.correct for one in chunk],
        guessed=[] if all(guessed) else guessed,
    )
