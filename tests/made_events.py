"""Events as a trainer would send them, made by hand for tests."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

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

RUN, JOB, DATASET = "run-0001", "train_1", "d" * 64


def step(number: int, run: str = RUN, examples: Sequence[int] = (), losses: Sequence[float] = ()) -> Event:
    body = StepCompleted(
        step=number, loss=3.0 / number, learning_rate=1e-4, example_index=examples, example_loss=losses
    )
    return Event(subject=f"run/{run}", step_completed=body, occurred_at_us=number * 1_000_000)


def snapshot(number: int, losses: Sequence[float], correct: Sequence[bool], run: str = RUN) -> list[Event]:
    """One snapshot of examples 0, 1, …, as its three events."""
    count = len(losses)
    observed = ExamplesObserved(
        step=number,
        example_index=range(count),
        guess=[f"guess {i} at {number}" for i in range(count)],
        loss=losses,
        token_accuracy=[0.5] * count,
        correct=correct,
        confidence=[0.25] * count,
        expected_probability=[0.125] * count,
    )
    subject = f"run/{run}"
    return [
        Event(subject=subject, snapshot_started=SnapshotStarted(step=number, reason="schedule", examples=count)),
        Event(subject=subject, examples_observed=observed),
        Event(
            subject=subject,
            snapshot_completed=SnapshotCompleted(step=number, examples=count, correct=sum(correct), seconds=1.0),
        ),
    ]


def run_start(examples: int, run: str = RUN, job: str = JOB, dataset: str = DATASET, total_steps: int = 100) -> Event:
    body = RunStarted(
        job=job,
        dataset=dataset,
        config=TrainingConfig(base_model="tiny"),
        total_steps=total_steps,
        examples=examples,
        tracked=range(examples),
    )
    return Event(subject=f"run/{run}", run_started=body)


def beginning(examples: int = 3) -> list[Event]:
    """A dataset, a job for it and its run, up to RunStarted."""
    dataset = DatasetRegistered(name="facts.jsonl", sha256=DATASET, form="question/answer", examples=examples)
    texts = ExamplesRegistered(
        id=[f"e{i}" for i in range(examples)],
        prompt=[f"What is {i}+{i}?" for i in range(examples)],
        expected=[str(2 * i) for i in range(examples)],
        category=["even" if i % 2 == 0 else "odd" for i in range(examples)],
    )
    return [
        Event(subject=f"dataset/{DATASET}", dataset_registered=dataset),
        Event(subject=f"dataset/{DATASET}", examples_registered=texts),
        Event(subject=f"job/{JOB}", job_queued=JobQueued(name="facts.jsonl", dataset=DATASET)),
        Event(subject=f"job/{JOB}", job_leased=JobLeased(trainer="t", epoch=1, run=RUN)),
        run_start(examples),
    ]


def numbered(events: Iterable[Event], start: int = 1) -> list[Event]:
    """Events as the log gives them back."""
    listed = list(events)
    for position, event in enumerate(listed, start=start):
        event.position = position
        event.recorded_at_us = position * 1_000_000
    return listed


def write_questions(path: Path, count: int, bad: Sequence[str] = ()) -> Path:
    """A dataset file of sums, with broken lines put in at the end."""
    lines = [json.dumps({"id": f"e{i}", "question": f"What is {i}+{i}?", "answer": str(2 * i)}) for i in range(count)]
    path.write_text("\n".join([*lines, *bad]) + "\n")
    return path
