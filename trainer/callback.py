"""Ties the training loop to the book: when the Trainer says that something happened, it is recorded or acted upon.

Knows the Trainer's callbacks and everything that is due at a step. How those things are done is on their own pages.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from guessbook.proto.events_pb2 import CheckpointSaved, Event, StepCompleted, TrainingConfig
from guessbook.trainer import checkpoint
from guessbook.trainer.due_snapshots import DueSnapshots
from guessbook.trainer.losses import half_precision
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Progress
from guessbook.trainer.snapshot import Snapshots
from guessbook.trainer.training import Visits


class BookCallback(TrainerCallback):
    """`record` takes the events, `take_visits` gives the examples of the step that just ended, `check` raises if training must not go on."""

    def __init__(
        self,
        run: str,
        config: TrainingConfig,
        folder: Path,
        progress: Progress,
        *,
        orders: Orders,
        snapshots: Snapshots,
        record: Callable[[Event], None],
        take_visits: Callable[[], Visits],
        check: Callable[[], None],
    ) -> None:
        self.progress = progress
        self.ending: tuple[Ending, int] | None = None
        self._subject = f"run/{run}"
        self._save_steps = config.save_steps
        self._folder = folder
        self._orders = orders
        self._budget = snapshots.budget
        self._due = DueSnapshots(snapshots, config, orders, progress)
        self._record = record
        self._take_visits = take_visits
        self._check = check
        self._began = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._budget.begin()
        if state.global_step == 0:
            self._due.take(0, state.max_steps, first=True)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Decides what follows this step. The Trainer then logs, saves and stops, in this order."""
        self._check()
        self.ending = self._orders.ending()
        step = state.global_step
        control.should_training_stop |= self.ending is not None
        every = self._save_steps
        control.should_save = control.should_training_stop or (every > 0 and step % every == 0)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:  # the summary at the end
            return
        visits = self._take_visits()
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
        self._record(Event(subject=self._subject, step_completed=step))
        self.progress.step = state.global_step
        self.progress.loss = logs["loss"]
        # Before the checkpoint, so that a run which goes on from there has it.
        self._due.take(state.global_step, state.max_steps)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        path = checkpoint.place(self._folder, state.global_step)
        size = checkpoint.complete(path)
        checkpoint.prune(self._folder)
        saved = CheckpointSaved(step=state.global_step, path=str(path), bytes=size)
        self._record(Event(subject=self._subject, checkpoint_saved=saved))
