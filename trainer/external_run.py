"""A run of somebody else's trainer, in the book: its job, its events and their order. Knows the book, not the trainer's callbacks."""

import logging
import math
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from guessbook.proto.events_pb2 import (
    CheckpointSaved,
    Event,
    JobCompleted,
    JobFailed,
    JobStarted,
    RunStarted,
    StepCompleted,
    TrainingConfig,
    VersionCreated,
)
from guessbook.store.artifacts import Artifacts
from guessbook.trainer.device import device_name
from guessbook.trainer.due_snapshots import DueSnapshots
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.link import FLUSH_S, Link
from guessbook.trainer.observation import LEARNED_LOSS, Judge, Tracked, track
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Progress
from guessbook.trainer.report import store_report
from guessbook.trainer.scorer import DEFAULT, find_scorer
from guessbook.trainer.snapshot import Snapshots
from guessbook.trainer.subscription import Subscription
from guessbook.trainer.tracking import tracked_indices
from guessbook.trainer.trained_rows import TrainedRows
from guessbook.trainer.version import slug, store_adapter

_log = logging.getLogger("guessbook.trainer")


@dataclass(frozen=True)
class Training:
    """What is trained: the trainer's own model and tokenizer, its rows, and what is to be looked at besides."""

    name: str
    model: Any  # a PreTrainedModel or a PeftModel
    encoder: Encoder
    rows: TrainedRows
    held_out: TrainedRows | None
    total_steps: int


class ExternalRun:
    """Makes a training a job of the book's, which is this program's own. The link is its own from now on. Raises GuessbookError."""

    def __init__(self, link: Link, training: Training, config: TrainingConfig) -> None:
        with ExitStack() as opened:
            self._link, self._training = link, training
            opened.callback(self._hang_up)
            self._start(link, training, config, opened)
            self._opened = opened.pop_all()

    def _start(self, link: Link, training: Training, config: TrainingConfig, opened: ExitStack) -> None:
        self.progress = Progress()
        self._loss_at: dict[int, float] = {}  # by step, where there is a checkpoint
        chosen = tracked_indices(config, training.rows.examples)
        judge = Judge(find_scorer(config.scorer or DEFAULT), config.learned_loss or LEARNED_LOSS)
        dataset = link.book.upload(training.rows.file)
        if training.held_out:
            config.held_out = link.book.upload(training.held_out.file)
        behind = link.book.head().position + 1
        lease = link.book.start_job(
            dataset,
            trainer=link.producer.name,
            epoch=link.epoch,
            name=training.name,
            config=config,
            skip_bad_lines=True,
        )
        self.job, self.run = lease.job, lease.run
        rows = training.rows
        tracked = track(rows.examples, rows.encoded, chosen, config) + _watched(training, config)
        self._orders = Orders(self.job, threading.Event())
        requests = Subscription(link.address, [f"job/{self.job.id}"], behind, self._orders.apply, link.token)
        opened.enter_context(requests)
        snapshots = Snapshots(
            training.model, training.encoder, tracked, self.run, link.record, judge=judge, seed=config.seed
        )
        self._budget = snapshots.budget
        self._due = DueSnapshots(snapshots, config, self._orders, self.progress)
        self._announce(tracked)

    def _announce(self, tracked: list[Tracked]) -> None:
        parameters = list(self._training.model.parameters())
        started = RunStarted(
            job=self.job.id,
            dataset=self.job.dataset,
            config=self.job.config,
            total_steps=self._training.total_steps,
            examples=len(self._training.rows.examples),
            tracked=[one.example.index for one in tracked if not one.held_out],
            device=device_name() if torch.cuda.is_available() else str(parameters[0].device),
            trainable_parameters=sum(one.numel() for one in parameters if one.requires_grad),
            parameters=sum(one.numel() for one in parameters),
            held_out=self.job.config.held_out,
            held_out_examples=sum(one.held_out for one in tracked),
        )
        self._link.record(Event(subject=f"run/{self.run}", run_started=started))
        self._link.record(Event(subject=f"job/{self.job.id}", job_started=JobStarted(run=self.run)))

    def begin(self, step: int) -> None:
        """Training begins after `step`: the first snapshot."""
        self.progress.step = step
        self._budget.begin()
        self._due.take(step, self._training.total_steps, first=True)

    def completed(self, step: StepCompleted) -> None:
        """An optimizer step was done: it is recorded, and the snapshot that is due then."""
        self._link.record(Event(subject=f"run/{self.run}", step_completed=step))
        self.progress.step, self.progress.loss = step.step, step.loss
        self._due.take(step.step, self._training.total_steps)

    def saved(self, step: int, folder: Path) -> None:
        """The trainer has saved a checkpoint."""
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        body = CheckpointSaved(step=step, path=str(folder.absolute()), bytes=size)
        self._link.record(Event(subject=f"run/{self.run}", checkpoint_saved=body))
        self._loss_at[step] = self.progress.loss

    @property
    def stop_requested(self) -> bool:
        ending = self._orders.ending()
        return ending is not None and ending[0] in (Ending.STOPPED, Ending.CANCELLED)

    def end(self, *, loaded: int | None = None) -> None:
        """Training is over. `loaded`: the trainer has gone back to the weights of its checkpoint of that step; None: they are those of the last step."""
        last = self.progress.step
        if loaded is None or loaded == last:
            self._due.take(last, self._training.total_steps, last=True)
            made = self.progress
        else:  # no snapshot looked at these weights: one now would stand at the last step
            loss = self._loss_at.get(loaded, math.nan)
            made = replace(self.progress, step=loaded, loss=loss, final_accuracy=-1.0)
        if isinstance(self._training.model, PeftModel):
            self._create_version(self._training.model, made)
        ending = self._orders.ending()
        completed = JobCompleted(step=self.progress.step)
        self._link.record(
            Event(subject=f"job/{self.job.id}", causation=ending[1] if ending else 0, job_completed=completed)
        )
        self._report()

    def _report(self) -> None:
        """Made when the job is completed already: whatever becomes of the report, the run is whole."""
        if not self._link.producer.flush(FLUSH_S):
            return  # `guessbook report` makes it when the server is back
        try:
            artifacts = Artifacts(self._link.home.artifacts)
            self._link.record(store_report(self._link.book, artifacts, self.run))
        except Exception as error:  # noqa: BLE001  a run without its report is complete all the same
            _log.warning(
                "The report of run %s was not made: %s. `guessbook report %s` makes it.", self.run, error, self.run
            )

    def fail(self, error: str, hint: str) -> None:
        """Training, or what is recorded of it, ended before its end."""
        failed = JobFailed(error=error, hint=hint, step=self.progress.step)
        self._link.record(Event(subject=f"job/{self.job.id}", job_failed=failed))

    def close(self) -> None:
        """Waits until the server has everything, for half a minute at most, and lets go of it."""
        self._opened.close()

    def _hang_up(self) -> None:
        if not self._link.close():
            _log.warning("The server did not take everything yet; the rest is kept in %s.", self._link.home.spool)

    def _create_version(self, model: PeftModel, made: Progress) -> None:
        version = VersionCreated(
            slug=slug(self._training.name),
            job=self.job.id,
            run=self.run,
            dataset=self.job.dataset,
            base_model=self.job.config.base_model,
            files=store_adapter(model, Artifacts(self._link.home.artifacts)),
            steps=made.step,
            final_loss=made.loss,
            baseline_accuracy=made.baseline_accuracy,
            final_accuracy=made.final_accuracy,
        )
        self._link.record(Event(subject=f"run/{self.run}", version_created=version))


def _watched(training: Training, config: TrainingConfig) -> list[Tracked]:
    """The held-out examples. Their indices follow those of the examples that are trained on."""
    if training.held_out is None:
        return []
    behind = len(training.rows.examples)
    examples = [replace(one, index=behind + one.index) for one in training.held_out.examples]
    encoded = [replace(one, index=behind + one.index) for one in training.held_out.encoded]
    return track(examples, encoded, range(len(examples)), config, held_out=True)
