"""A process of rank 1 and above of a job on several: it computes as rank 0 does, and has no say. Knows training, no server."""

import base64
import json
import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

# As in daemon.py.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")

import transformers
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Failure
from guessbook.store.home import Home
from guessbook.trainer.assignment import Assignment
from guessbook.trainer.callback import NoStep
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.failure import failure_of
from guessbook.trainer.orders import Orders
from guessbook.trainer.processes import FULL_CODE
from guessbook.trainer.progress import Past
from guessbook.trainer.ranks import gathered
from guessbook.trainer.schedule import total_steps
from guessbook.trainer.training import ExampleLossTrainer, make_deterministic, training_arguments


class FollowingCallback(TrainerCallback):
    """Hears at the turns of BookCallback what rank 0 decided there, and tells it what this process saw. In the same order, or all would wait for ever."""

    def __init__(self, trainer: ExampleLossTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if gathered(None)[0] or state.global_step == state.max_steps:
            raise NoStep

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **told: Any
    ) -> None:
        if gathered(None)[0] is not None:
            told["model"].zero_grad()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        gathered(self._trainer.take_visits())
        state.log_history.clear()
        decided: Any = gathered(None)[0]
        control.should_training_stop, control.should_save = decided

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        gathered(None)


def follow(lease: LeaseJobResponse, home: Home, resumed: str) -> None:
    """Trains until rank 0 ends it."""
    job = Assignment(
        lease, lambda step: Past(), home, Orders(lease.job, threading.Event()), lambda event: None, lambda: None
    )
    make_deterministic()
    examples = job.read_examples()
    base = job.base()
    encoder = Encoder(base.tokenizer, job.config.max_length)
    encoded = [encoder.encode(example) for example in examples]
    model = job.adapted(base)
    print("ready", flush=True)
    arguments = training_arguments(job.config, total_steps(job.config, len(examples)), job.folder)
    arguments.report_to = []
    trainer = ExampleLossTrainer(model, arguments, encoded, encoder.pad_id)
    trainer.add_callback(FollowingCallback(trainer))
    with suppress(NoStep):
        trainer.train(resume_from_checkpoint=resumed or None)


def main() -> None:
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_rank_0, daemon=True).start()
    lease = LeaseJobResponse.FromString(base64.b64decode(task["lease"]))
    try:
        follow(lease, Home(Path(task["home"])), task["resumed"])
    except Exception as error:
        if failure_of(error) != Failure.FAILURE_OUT_OF_MEMORY:
            raise
        traceback.print_exc()
        os._exit(FULL_CODE)  # at once, and with no other code: what is left of the training could wait for the others


def _end_with_rank_0() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
