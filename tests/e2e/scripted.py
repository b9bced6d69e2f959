"""A trainer that trains nothing: it takes a job and records the events a test asks for, over the real stream."""

from collections.abc import Sequence
from pathlib import Path

from guessbook.clients.client import Guessbook
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import (
    Event,
    ExamplesObserved,
    JobResumed,
    JobStarted,
    RunStarted,
    SnapshotCompleted,
    SnapshotStarted,
    StepCompleted,
    TrainerConnected,
)

DEADLINE_S = 20.0


class ScriptedTrainer:
    """`take()` a job first. Every method returns when what it recorded is durable on the server."""

    def __init__(self, book: Guessbook, spool: Path) -> None:
        self.book = book
        self.producer = Producer("scripted", spool, book.address, TrainerConnected(device="cpu", host="test", pid=1))
        self.producer.start()
        self.job = self.run = ""

    def close(self) -> None:
        self.producer.close()

    def take(self, total_steps: int, examples: int) -> None:
        """Leases the next job and starts its run."""
        lease = self.book.lease("scripted", self.producer.wait_welcome(DEADLINE_S))
        self.job, self.run = lease.job.id, lease.run
        started = RunStarted(
            job=self.job,
            dataset=lease.job.dataset,
            config=lease.job.config,
            total_steps=total_steps,
            examples=examples,
            tracked=range(examples),
            device="cpu",
        )
        self._record(Event(subject=f"run/{self.run}", run_started=started))
        self._record(Event(subject=f"job/{self.job}", job_started=JobStarted(run=self.run)))
        self._flush()

    def take_up_again(self, step: int) -> None:
        """After a break that lost the job: leases it again and goes on after `step`."""
        lease = self.book.lease("scripted", self.producer.wait_welcome(DEADLINE_S))
        self.job, self.run = lease.job.id, lease.run
        self._record(Event(subject=f"job/{self.job}", job_resumed=JobResumed(run=self.run, step=step)))
        self._flush()

    def steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """All examples are visited in each step; `losses` are theirs."""
        for step in range(first, last + 1):
            completed = StepCompleted(
                step=step,
                loss=sum(losses) / len(losses),
                learning_rate=1e-4,
                grad_norm=1.0,
                tokens_per_second=100,
                epoch=step,
                example_index=range(len(losses)),
                example_loss=losses,
            )
            self._record(Event(subject=f"run/{self.run}", step_completed=completed))
        self._flush()

    def snapshot(
        self,
        step: int,
        guesses: Sequence[str],
        correct: Sequence[bool],
        losses: Sequence[float],
        probabilities: Sequence[float] = (),
    ) -> None:
        """One guess for each example, in the order of the file. `probabilities`: of the expected answers, else a half each."""
        many = len(guesses)
        started = SnapshotStarted(step=step, reason="schedule", examples=many)
        observed = ExamplesObserved(
            step=step,
            example_index=range(many),
            guess=guesses,
            loss=losses,
            token_accuracy=[float(right) for right in correct],
            correct=correct,
            confidence=[0.5] * many,
            expected_probability=probabilities or [0.5] * many,
        )
        completed = SnapshotCompleted(
            step=step, examples=many, correct=sum(correct), mean_loss=sum(losses) / many, seconds=0.1
        )
        self._record(Event(subject=f"run/{self.run}", snapshot_started=started))
        self._record(Event(subject=f"run/{self.run}", examples_observed=observed))
        self._record(Event(subject=f"run/{self.run}", snapshot_completed=completed))
        self._flush()

    def _record(self, event: Event) -> None:
        self.producer.record(event)

    def _flush(self) -> None:
        assert self.producer.flush(DEADLINE_S), self.producer.failure or "the server did not take the events in time"
