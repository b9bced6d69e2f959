"""A run as a trainer records it, made up: many examples, many snapshots, guesses that change early and settle. Knows no fold.

Nothing is random but by a seed: the same run is made again to tell whether what a server says is right.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from guessbook.projections import guess_codec
from guessbook.projections.guess_codec import Known
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event

RUN, JOB, DATASET = "run-bench", "train_bench", "b" * 64
STEPS = (0, 100, 250, 500, 1000, 2500, 5000, 10_000, 15_000, 20_000, 30_000, 37_500)
CHANGED = (1.0, 0.9, 0.8, 0.6, 0.5, 0.35, 0.2, 0.1, 0.06, 0.04, 0.02, 0.01)  # share of the guesses, by snapshot
CHUNK = 256  # examples in one event, as the trainer has it
BATCH = 8
CATEGORIES = ("addition", "capitals", "colours", "dates", "elements", "fractions", "grammar", "rivers", "verbs")
SAYING = (
    "the answer is seven river north and small green under before total of water king two more Paris sum left equals"
)
WORDS = np.array(SAYING.split())


class MadeRun:
    """`examples` examples, looked at by a snapshot at each of STEPS; between them they are trained on, BATCH in a step."""

    def __init__(self, examples: int, seed: int = 11) -> None:
        self.examples = examples
        self._random = np.random.default_rng(seed)
        self._pace = self._random.uniform(0.2, 3.0, examples)  # how fast each is learned
        self._texts_of: list[tuple[str, str]] = []  # prompt and expected answer
        self._guess: list[str | None] = [None] * examples
        self.told: list[tuple[int, str]] = []  # (step, guess) of the example in the middle

    def events(self) -> Iterator[Event]:
        yield from self._beginning()
        step = 0
        for number, until in enumerate(STEPS):
            while step < until:
                step += 1
                yield self._step(step)
            yield from self._snapshot(number, until)

    def _beginning(self) -> Iterator[Event]:
        subject, count = f"dataset/{DATASET}", self.examples
        registered = e.DatasetRegistered(name="made.jsonl", sha256=DATASET, form="question/answer", examples=count)
        yield Event(subject=subject, dataset_registered=registered)
        for first in range(0, count, 2000):
            some = range(first, min(first + 2000, count))
            asked = zip(some, self._texts(len(some), 10), strict=True)
            prompts = [f"Question {index}: {text}" for index, text in asked]
            expected = self._texts(len(some), 6)
            self._texts_of += zip(prompts, expected, strict=True)
            texts = e.ExamplesRegistered(
                first_index=first,
                id=[f"example-{index:06d}" for index in some],
                prompt=prompts,
                expected=expected,
                category=[CATEGORIES[index % len(CATEGORIES)] for index in some],
            )
            yield Event(subject=subject, examples_registered=texts)
        yield Event(subject=f"job/{JOB}", job_queued=e.JobQueued(name="made.jsonl", dataset=DATASET))
        yield Event(subject=f"job/{JOB}", job_leased=e.JobLeased(trainer="t", epoch=1, run=RUN))
        started = e.RunStarted(job=JOB, dataset=DATASET, total_steps=STEPS[-1], examples=count, tracked=range(count))
        yield Event(subject=f"run/{RUN}", run_started=started)

    def _texts(self, count: int, words: int) -> list[str]:
        """Texts of 20 to 60 characters, for 6 words."""
        chosen = WORDS[self._random.integers(0, len(WORDS), (count, words))]
        numbers = self._random.integers(0, 10_000, count).tolist()
        return [f"{' '.join(row)} {number}." for row, number in zip(chosen.tolist(), numbers, strict=True)]

    def _step(self, step: int) -> Event:
        start = (step - 1) * BATCH
        trained = [(start + place) * 7919 % self.examples for place in range(BATCH)]
        losses = self._half(self._loss(np.array(trained), step))
        body = e.StepCompleted(
            step=step,
            loss=float(losses.mean()),
            learning_rate=1e-4,
            grad_norm=1.0,
            epoch=start / self.examples,
            example_index=trained,
            example_loss=losses.tolist(),
        )
        return Event(subject=f"run/{RUN}", step_completed=body, occurred_at_us=step * 100_000)

    def _loss(self, examples: NDArray[np.int64], step: int) -> NDArray[np.float64]:
        wobble = self._random.uniform(0.9, 1.1, len(examples))
        fallen = np.exp(-self._pace[examples] * step / STEPS[-1] * 5)
        return 0.02 + 3.0 * fallen * wobble

    def _half(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.astype(np.float16).astype(np.float64)

    def _snapshot(self, number: int, step: int) -> Iterator[Event]:
        subject = f"run/{RUN}"
        started = e.SnapshotStarted(step=step, reason="schedule", examples=self.examples, engine="verify")
        yield Event(subject=subject, snapshot_started=started)
        loss = self._half(self._loss(np.arange(self.examples), step))
        for first in range(0, self.examples, CHUNK):
            some = range(first, min(first + CHUNK, self.examples))
            yield Event(subject=subject, examples_observed=self._observed(number, step, some, loss[first : some.stop]))
        middle = self.examples // 2
        self.told.append((step, self._guess[middle] or ""))
        right = int((loss < 0.5).sum())
        completed = e.SnapshotCompleted(step=step, examples=self.examples, correct=right, seconds=60.0)
        yield Event(subject=subject, snapshot_completed=completed)

    def _observed(self, number: int, step: int, some: range, loss: NDArray[np.float64]) -> e.ExamplesObserved:
        new = self._texts(len(some), 5)
        changes = self._random.random(len(some)) < CHANGED[number]
        told: list[tuple[Known, str | None]] = []
        for index, text, change in zip(some, new, changes.tolist(), strict=True):
            before = self._guess[index]
            told.append((Known(*self._texts_of[index], before), (before or "")[:8] + text[8:] if change else before))
            self._guess[index] = told[-1][1]
        likely = self._half(np.exp(-loss))
        measures = np.concatenate([loss, np.sqrt(likely), likely])
        return e.ExamplesObserved(
            step=step,
            example_index=some,
            guesses=guess_codec.encode(told),
            measures=measures.astype("<f2").tobytes(),
            correct=(loss < 0.5).tolist(),
        )
