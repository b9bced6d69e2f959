"""Guessbook in other people's trainers: a callback for any trainer of transformers or TRL.

    from guessbook.trainer.guessbook_callback import GuessbookCallback
    trainer = SFTTrainer(..., callbacks=[GuessbookCallback()])

Knows what a trainer tells its callbacks. What becomes of it is in external_run.py. Whatever goes wrong in here is a warning, and training goes on as it is.
"""

import atexit
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

# gRPC looks at this when it is imported: a program's data loaders may fork.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import StepCompleted
from guessbook.store.home import Home
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.errors import UnusableExample, UnusableModel
from guessbook.trainer.external_run import ExternalRun, Training
from guessbook.trainer.forward_losses import ForwardLosses, Passes
from guessbook.trainer.link import Link
from guessbook.trainer.losses import half_precision
from guessbook.trainer.observation import LEARNED_LOSS
from guessbook.trainer.ranks import gathered, is_shared
from guessbook.trainer.scorer import DEFAULT
from guessbook.trainer.told_config import told_config
from guessbook.trainer.trained_rows import TrainedRows, read_rows
from guessbook.trainer.undisturbed import undisturbed

TRACKED = 200  # examples: what a snapshot takes must not depend on how much data there is
MAX_LENGTH = 1024**2  # tokens, where the trainer names no limit

_log = logging.getLogger("guessbook.trainer")


@dataclass(frozen=True)
class _Told:
    """What one process tells the others at the end of a step. Of `recording` and `stop` that of the first process counts."""

    recording: bool
    stop: bool
    passes: Passes


class GuessbookCallback(TrainerCallback):
    """Makes a training a run of the book: every step, what the model guesses for its examples at stages, the adapter at the end.

    `home`: the data folder, by default `$GUESSBOOK_HOME` or `./guessbook-data`. If no server runs on it, one is started and ends with the program.
    `name`: what the book calls the job; by default the folder that is trained into.
    `dataset`: the training records as they were before tokenization, one for each row. Without it their texts are decoded from the tokens.
    `eval_dataset`: records or tokenized rows that are looked at, too, and never trained on.
    `tracked`: so many examples are looked at, a sample that the seed decides; 0: all. `tracked_ids`: these besides, or with `tracked=0` only these.
    `snapshot_steps`: when; by default at 10, 25, 50, 100 … Before the first step and after the last in any case.
    The others mean what they mean in a job's config.

    Under torchrun or `accelerate launch` each process has one; that of rank 0 records, with the losses of the examples of all of them. The others wait while it
    takes a snapshot.
    """

    def __init__(
        self,
        *,
        home: str | os.PathLike[str] | None = None,
        name: str = "",
        dataset: Sequence[Any] | None = None,
        eval_dataset: Sequence[Any] | None = None,
        tracked: int = TRACKED,
        tracked_ids: Sequence[str] = (),
        snapshots: bool = True,
        snapshot_steps: Sequence[int] = (),
        snapshot_budget_percent: float = 0.0,
        snapshot_budget_seconds: float = 0.0,
        max_new_tokens: int = 0,
        scorer: str = DEFAULT,
        learned_loss: float = LEARNED_LOSS,
    ) -> None:
        self._home = Home(Path(home).absolute()) if home else Home.default()
        self._name = name
        self._dataset, self._eval_dataset = dataset, eval_dataset
        self._wishes: dict[str, Any] = {
            "tracked_examples": tracked,
            "tracked_ids": tracked_ids,
            "snapshots": snapshots,
            "snapshot_steps": snapshot_steps,
            "snapshot_budget_percent": snapshot_budget_percent,
            "snapshot_budget_seconds": snapshot_budget_seconds,
            "max_new_tokens": max_new_tokens,
            "scorer": scorer,
            "learned_loss": learned_loss,
        }
        self._run: ExternalRun | None = None  # None: there is none yet, or none any more, or another process records it
        self._losses: ForwardLosses | None = None
        self._rows: TrainedRows | None = None
        self._step: StepCompleted | None = None  # done, and waiting for what the trainer logs of it
        self._began = 0.0
        self._learning_rate = 0.0
        self._logged = 0  # the last step that the trainer logged
        self._said = ""
        self._shared = False  # other processes train with this one, and what they tell is recorded, too

    # ---- what the trainer tells ----

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **told: Any
    ) -> None:
        if self._run:
            self._fail("training was begun anew before it was over")
        if state.is_world_process_zero:
            with self._harmless(), undisturbed(told["model"]):
                self._begin(args, state, **told)
        self._shared = is_shared() and gathered(self._run is not None)[0]
        if self._shared and not self._run:
            self._losses = ForwardLosses(told["model"])

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **told: Any) -> None:
        if self._run:
            with self._harmless():
                self._complete_step()
                self._began = time.perf_counter()
                self._learning_rate = float(told["optimizer"].param_groups[0]["lr"])

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not self._run and not self._shared:
            return
        mine = self._told()
        told = gathered(mine) if self._shared else [mine]
        self._shared = self._shared and told[0].recording
        control.should_training_stop |= told[0].stop  # for all of them at the same step
        if not self._run and not self._shared:
            self._close()  # the first process records no more
        if self._run:
            with self._harmless():
                self._end_step(state, Passes.merged([one.passes for one in told]))
                if not control.should_log:
                    self._complete_step()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if self._step and logs and "loss" in logs:
            with self._harmless():
                if state.global_step - self._logged == 1:  # else it is the mean over some steps
                    self._step.loss = logs["loss"]
                self._step.grad_norm = logs.get("grad_norm", float("nan"))
                self._logged = state.global_step
                self._complete_step()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        folder = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
        if self._run and folder.is_dir():
            with self._harmless():
                self._complete_step()
                self._run.saved(state.global_step, folder)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        with self._harmless():
            if self._run:
                self._complete_step()
                loaded = args.load_best_model_at_end and state.best_model_checkpoint is not None
                self._run.end(loaded=state.best_global_step if loaded else None)
            self._close()

    # ---- what follows from it ----

    def _begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        *,
        model: Any,
        processing_class: Any,
        train_dataloader: Any,
        **_: Any,
    ) -> None:
        config = told_config(args, model, state.max_steps)
        for field, value in self._wishes.items():
            config.MergeFrom(type(config)(**{field: value}))
        if args.world_size > 1:
            config.num_processes = args.world_size
        if config.snapshots and _is_sharded(args):
            config.snapshots = False
            _log.warning(
                "The model's weights are spread over processes, so there are no snapshots. Steps are recorded."
            )
        encoder = Encoder(_tokenizer(processing_class), config.max_length or MAX_LENGTH)
        with tempfile.TemporaryDirectory(prefix="guessbook-") as folder:
            trained = self._trained(train_dataloader)
            rows = read_rows(trained, self._dataset, encoder, Path(folder) / "rows.jsonl", config.seed)
            _tell_sample("training", rows)
            held_out = None
            if self._eval_dataset is not None:
                held_out = read_rows(self._eval_dataset, None, encoder, Path(folder) / "held_out.jsonl", config.seed)
                _tell_sample("held-out", held_out)
            name = self._name or PurePath(args.output_dir or "").name or "training"
            training = Training(name, model, encoder, rows, held_out, state.max_steps)
            self._run = ExternalRun(Link(self._home), training, config)
        atexit.register(self._left, os.getpid())
        self._rows, self._logged, self._said, self._step = rows, state.global_step, "", None
        self._run.begin(state.global_step)
        self._losses = ForwardLosses(model)
        _log.info("Guessbook records %s as %s, in %s.", self._run.job.id, self._run.run, self._home.root)

    def _trained(self, train_dataloader: Any) -> Sequence[Any]:
        dataset = train_dataloader.dataset
        if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
            rows: Sequence[Any] = dataset
            return rows
        if self._dataset is not None:
            return ()
        raise UnusableExample(
            "the training data is a stream, so its rows can't be told beforehand",
            "Give the callback some of its records: GuessbookCallback(dataset=...).",
        )

    def _told(self) -> "_Told":
        """What this process has to say of the step. Never raises: the others wait for it."""
        passes = Passes()
        with self._harmless():
            passes = self._losses.take() if self._losses else passes
        return _Told(self._run is not None, self._run is not None and self._run.stop_requested, passes)

    def _end_step(self, state: TrainerState, passes: Passes) -> None:
        """Takes together what the step's forward passes told. What the trainer logs of it may follow."""
        assert self._losses
        assert self._rows
        seconds = time.perf_counter() - self._began  # the losses are here, so the device is done with the step
        known = [(self._rows.index_of(tokens), loss) for tokens, loss in passes.sequences]
        visits = [(index, loss) for index, loss in known if index is not None]
        reason = self._losses.reason
        if not reason and passes.sequences and not visits and not self._rows.left_out:
            reason = "what reaches the model are not the rows of the training data as they are"
        if reason and reason != self._said:
            _log.warning("The losses of single examples in training are not recorded: %s.", reason)
            self._said = reason
        self._step = StepCompleted(
            step=state.global_step,
            loss=float("nan") if passes.loss is None else passes.loss,
            learning_rate=self._learning_rate,
            grad_norm=float("nan"),
            tokens_per_second=passes.tokens / seconds,
            epoch=state.epoch or 0.0,
            example_index=[index for index, _ in visits],
            example_loss=half_precision([loss for _, loss in visits]),
        )

    def _complete_step(self) -> None:
        if self._run and self._step:
            step, self._step = self._step, None
            self._run.completed(step)

    # ---- when it goes wrong, or ends too early ----

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever goes wrong in recording must not stop what is recorded
            hint = f" {error.hint}" if isinstance(error, GuessbookError) else ""
            unknown = not isinstance(error, GuessbookError)
            _log.warning("Guessbook is off, training goes on: %s.%s", error, hint, exc_info=unknown)
            self._fail(f"the callback switched itself off: {type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        """The job fails, if it still can, and nothing more is recorded."""
        run = self._run
        try:
            if run:
                run.fail(reason, "What is recorded up to here stays. Run the program again; it begins another job.")
        except Exception:  # noqa: BLE001  it is off already; the server finds the job interrupted
            _log.warning("Guessbook could not record that the job failed.", exc_info=True)
        self._close()

    def _close(self) -> None:
        run, losses = self._run, self._losses
        self._run = self._losses = self._rows = self._step = None
        if losses:
            losses.close()
        if run:
            atexit.unregister(self._left)
            run.close()

    def _left(self, pid: int) -> None:
        """The program ends in the middle of training."""
        if pid != os.getpid():  # a fork of it, which has neither the connection nor the job
            return
        error = getattr(sys, "last_value", None)  # what it ends with, if that is an exception
        self._fail(f"{type(error).__name__}: {error}" if error else "the program ended before the training did")


def _tokenizer(processing_class: Any) -> PreTrainedTokenizerBase:
    tokenizer = getattr(processing_class, "tokenizer", processing_class)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UnusableModel("the trainer has no tokenizer", "Give it one: Trainer(processing_class=tokenizer, ...).")
    return tokenizer


def _tell_sample(kind: str, rows: TrainedRows) -> None:
    if rows.left_out:
        examples = len(rows.examples)
        _log.warning(
            "The %s data is too large for the book: of its rows %s are recorded, a sample that the seed decides, and %s left out. "
            "Training itself takes them all.",
            kind,
            f"{examples:,}",
            f"{rows.left_out:,}",
        )


def _is_sharded(args: TrainingArguments) -> bool:
    return bool(args.fsdp) or bool(args.deepspeed)
