"""Ties the training loop to the book: when the Trainer says that something happened, it is recorded or acted upon.

Knows the Trainer's callbacks and everything that is due at a step. How those things are done is on their own pages.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from guessbook.proto.events_pb2 import BatchSkipped, CheckpointSaved, Event, StepCompleted
from guessbook.proto.history_pb2 import Job
from guessbook.trainer import checkpoint
from guessbook.trainer.due_snapshots import DueSnapshots
from guessbook.trainer.losses import half_precision
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Past
from guessbook.trainer.ranks import gathered
from guessbook.trainer.snapshot import Snapshots
from guessbook.trainer.training import ExampleLossTrainer, Visits


class NoStep(Exception):
    """There is no step to make: the run is at its end, or is asked to end. The Trainer itself would make one in any case."""


class BookCallback(TrainerCallback):
    """Of rank 0; what the others hear from it and tell it they do in FollowingCallback.

    `record` takes the events, `check` raises if training must not go on, `all_told` says whether the server has all that was recorded. `ending` is how
    the training ended, if not at its last step.
    """

    def __init__(
        self,
        run: str,
        job: Job,
        folder: Path,
        past: Past,
        *,
        orders: Orders,
        snapshots: Snapshots,
        trainer: ExampleLossTrainer,
        record: Callable[[Event], None],
        check: Callable[[], None],
        all_told: Callable[[], bool],
    ) -> None:
        self.ending: tuple[Ending, int] | None = None
        self._run, self._job = run, job.id
        self._save_steps = job.config.save_steps
        self._folder = folder
        self._past = past
        self._progress = past.progress
        self._orders = orders
        self._budget = snapshots.budget
        self._due = DueSnapshots(snapshots, job.config, orders, past.progress, obeying=True)
        self._trainer = trainer
        self._record = record
        self._check = check
        self._all_told = all_told
        self._known = past.progress.saved  # the server has everything up to this checkpoint
        self._skip: int | None = (
            None  # the request, if the step at hand makes no update; 0: it was answered in an earlier life of the run
        )
        self._began = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._budget.begin()
        step = state.global_step
        self._due.begin(step, state.max_steps, self._past.snapshots.get(step))
        self.ending = gathered(self._asked(state))[0]
        if self.ending or step == state.max_steps:
            raise NoStep

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **told: Any
    ) -> None:
        """All micro-batches of the step are in the gradient. Without one the optimizer changes neither the weights nor its own state."""
        step = state.global_step + 1
        self._skip = gathered(0 if step in self._past.skipped else self._orders.take_skip())[0]
        if self._skip is None:
            self._trainer.require_finite(step)
        else:
            told["model"].zero_grad()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._check()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Tells what the step was and decides what follows. The Trainer then saves and stops, in this order."""
        if not logs or "loss" not in logs:  # the summary at the end
            return
        self._see_what_is_known()
        self._tell_step(state, logs)
        # Before the checkpoint, so that a run which goes on from there has it.
        self._due.take(state.global_step, state.max_steps)
        self.ending = self._asked(state)
        control.should_training_stop |= self.ending is not None
        due = self._save_steps > 0 and state.global_step % self._save_steps == 0
        control.should_save = control.should_training_stop or due
        if control.should_save:
            self._check()
            self._trainer.require_finite_weights(state.global_step)
        gathered((control.should_training_stop, control.should_save))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        gathered(None)  # each process has written its part
        size = checkpoint.complete(checkpoint.place(checkpoint.staging(self._folder), state.global_step))
        self._check()  # the other checkpoints are this trainer's only as long as the run is
        path = checkpoint.publish(self._folder, state.global_step)
        self._see_what_is_known()
        checkpoint.prune(self._folder, self._known)
        self._progress.saved = state.global_step
        saved = CheckpointSaved(step=state.global_step, path=str(path), bytes=size)
        self._record(Event(subject=f"run/{self._run}", checkpoint_saved=saved))

    def _see_what_is_known(self) -> None:
        if self._all_told():
            self._known = self._progress.saved

    def _asked(self, state: TrainerState) -> tuple[Ending, int] | None:
        """At the last step there is nothing left to end but a snapshot: if that is done the run is completed, whatever is asked."""
        done = state.global_step == state.max_steps and not self._due.interrupted
        return None if done else self._orders.ending()

    def _tell_step(self, state: TrainerState, logs: dict[str, Any]) -> None:
        visits = Visits.merged(gathered(self._trainer.take_visits()))
        seconds = time.perf_counter() - self._began  # the losses are here, so the device is done with the step
        step = StepCompleted(
            step=state.global_step,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            grad_norm=logs["grad_norm"],
            tokens_per_second=visits.tokens / seconds,
            epoch=state.epoch,
            example_index=visits.index,
            example_loss=half_precision(visits.loss),
        )
        self._record(Event(subject=f"run/{self._run}", step_completed=step))
        state.log_history.clear()  # the book has it; a checkpoint that grows with each step would take ever longer
        self._progress.step, self._progress.loss = state.global_step, logs["loss"]
        if self._skip is not None:
            skipped = BatchSkipped(step=state.global_step, example_index=visits.index)
            self._record(Event(subject=f"job/{self._job}", causation=self._skip, batch_skipped=skipped))
