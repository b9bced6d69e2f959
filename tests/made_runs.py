"""Runs whose every figure is chosen by a test: examples with their texts, and what each snapshot saw of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from made_events import DATASET, JOB, RUN, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import (
    DatasetRegistered,
    Event,
    ExamplesObserved,
    ExamplesRegistered,
    JobLeased,
    JobQueued,
    RunStarted,
    SnapshotCompleted,
    SnapshotStarted,
    StepCompleted,
    TrainingConfig,
)

LOSS_OF_RIGHT, LOSS_OF_WRONG = 0.05, 2.0


@dataclass(frozen=True)
class Seen:
    """One example at one snapshot."""

    guess: str
    correct: bool
    loss: float
    confidence: float = 0.95
    token_accuracy: float = 0.5
    guessed: bool = True


@dataclass(frozen=True)
class Told:
    """One example's texts and its story, one entry a snapshot."""

    prompt: str
    expected: str
    seen: Sequence[Seen]
    category: str = ""


def right(told: str, loss: float = LOSS_OF_RIGHT) -> Seen:
    return Seen(told, True, loss, token_accuracy=1.0)


def wrong(told: str, loss: float = LOSS_OF_WRONG, confidence: float = 0.5, token_accuracy: float = 0.2) -> Seen:
    return Seen(told, False, loss, confidence, token_accuracy)


def measured(loss: float = LOSS_OF_WRONG, token_accuracy: float = 0.2) -> Seen:
    """To keep a budget: whether it is right is as it was before."""
    return Seen("", False, loss, 0.0, token_accuracy, guessed=False)


def plain_story(number: int, rights: str, category: str = "") -> Told:
    """A story of right and wrong, "-++" say; its loss falls from snapshot to snapshot. Its texts are like no other's."""
    answer = f"answer {number}"
    seen = [
        right(answer) if mark == "+" else wrong(f"guess {place} of {number}", LOSS_OF_WRONG - 0.3 * place)
        for place, mark in enumerate(rights)
    ]
    return Told(f"question {number}", answer, seen, category)


def events(
    told: Sequence[Told],
    steps: Sequence[int],
    batches: Sequence[Sequence[int]] | None = None,
    held_out: Sequence[Told] = (),
    **started: object,
) -> list[Event]:
    """The run's events. `batches[n]` is what step n + 1 trains on; without it every step trains on everything in `told`."""
    subject = f"run/{RUN}"
    texts = ExamplesRegistered(
        id=[f"e{number}" for number in range(len(told))],
        prompt=[one.prompt for one in told],
        expected=[one.expected for one in told],
        category=[one.category for one in told],
    )
    config = TrainingConfig(base_model="tiny", max_length=128)
    begun = RunStarted(
        job=JOB,
        dataset=DATASET,
        config=config,
        total_steps=steps[-1],
        examples=len(told),
        tracked=range(len(told)),
        device="cpu",
        held_out_examples=len(held_out),
        held_out="f" * 64 if held_out else "",
        **started,  # type: ignore[arg-type]
    )
    dataset = DatasetRegistered(name="facts.jsonl", sha256=DATASET, form="question/answer", examples=len(told))
    made = [
        Event(subject=f"dataset/{DATASET}", dataset_registered=dataset),
        Event(subject=f"dataset/{DATASET}", examples_registered=texts),
        Event(subject=f"job/{JOB}", job_queued=JobQueued(name="facts.jsonl", dataset=DATASET, config=config)),
        Event(subject=f"job/{JOB}", job_leased=JobLeased(trainer="t", epoch=1, run=RUN)),
        Event(subject=subject, run_started=begun),
    ]
    done = 0
    for number, step in enumerate(steps):
        for trained in range(done + 1, step + 1):
            batch = batches[trained - 1] if batches else range(len(told))
            losses = [told[index].seen[number].loss for index in batch]
            mean = sum(losses) / max(len(losses), 1)
            body = StepCompleted(step=trained, loss=mean, learning_rate=1e-4, example_index=batch, example_loss=losses)
            made.append(Event(subject=subject, step_completed=body, occurred_at_us=trained * 1_000_000))
        done = step
        made += _snapshot(step, [one.seen[number] for one in [*told, *held_out]])
    return made


def book(
    told: Sequence[Told],
    steps: Sequence[int],
    batches: Sequence[Sequence[int]] | None = None,
    held_out: Sequence[Told] = (),
    **started: object,
) -> Book:
    """What the events of such a run fold to."""
    return book_fold.fold(numbered(events(told, steps, batches, held_out, **started)))


def _snapshot(step: int, seen: Sequence[Seen]) -> list[Event]:
    observed = ExamplesObserved(
        step=step,
        example_index=range(len(seen)),
        guess=[one.guess for one in seen],
        loss=[one.loss for one in seen],
        token_accuracy=[one.token_accuracy for one in seen],
        correct=[one.correct for one in seen],
        confidence=[one.confidence for one in seen],
        guessed=[one.guessed for one in seen],
    )
    completed = SnapshotCompleted(step=step, examples=len(seen), correct=sum(one.correct for one in seen), seconds=1.0)
    bodies = [
        Event(snapshot_started=SnapshotStarted(step=step, reason="schedule", examples=len(seen))),
        Event(examples_observed=observed),
        Event(snapshot_completed=completed),
    ]
    for event in bodies:
        event.subject = f"run/{RUN}"
    return bodies
