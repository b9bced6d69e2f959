"""`make bench-snapshot`: what a snapshot costs in time and room, at the start, midway and once learned, on a real model that is really trained.

Figures go to standard error as they come; the last line of standard output is one JSON object. `--shape qwen3-8b` takes a model of that shape with random
weights in bf16 instead, for machines with a GPU: it learns nothing, so it is given its own words as what it should have learned.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.observed_bytes import RUN, json_bytes, log_bytes
from bench.stages import Stages, made_stages, say
from tiny_model import make_tiny_tokenizer
from transformers import (
    AutoModelForCausalLM,
    Qwen3Config,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from guessbook.clients.cli import demo
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import Event, SnapshotCompleted, SnapshotStarted, StepCompleted, TrainingConfig
from guessbook.store.dataset import Example, read_dataset
from guessbook.trainer.base_model import load_base_model
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.examiner import Examiner, Question
from guessbook.trainer.losses import half_precision
from guessbook.trainer.observation import Judge, LastGuesses, Observation, Tally, Tracked, chunks, columns, track
from guessbook.trainer.training import ExampleLossTrainer, add_adapter, training_arguments
from guessbook.trainer.undisturbed import undisturbed

GSM8K = Path(__file__).resolve().parents[3] / "shared" / "data" / "gsm8k_train.jsonl"
SHORTER = 1000  # problems of GSM8K are left out
SNAPSHOTS = 10
EPOCHS = 24
BATCH = 4
SUBJECT = f"run/{RUN}"
NOBODY = "127.0.0.1:1"  # no server: what is recorded goes to the spool, as it does while one is away
# Qwen3-8B's config.json.
SHAPES: dict[str, dict[str, Any]] = {
    "qwen3-8b": {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
    }
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12, help="examples to train on")
    parser.add_argument("--repeats", type=int, default=2, help="the least time of so many is taken")
    parser.add_argument("--shape", choices=["smollm2", *SHAPES], default="smollm2")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(arguments)
    torch.manual_seed(1)
    made = asked.shape != "smollm2"
    result = _random_model(SHAPES[asked.shape], asked.device, asked.rows, asked.repeats) if made else _trained(asked)
    print(json.dumps({"machine": f"{platform.machine()}, {asked.device}, {torch.get_num_threads()} threads"} | result))
    return 0


def _results(stages: Stages) -> dict[str, Any]:
    timed = {"engine_s": stages.engine_s, "generate_s": stages.generate_s, "loss_pass_s": stages.loss_pass_s}
    return timed | {
        "identical": not stages.different,
        "guesses": stages.guesses,
        "guesses_that_differ": stages.different,
    }


# ---- a real model, trained until it has learned ----


@dataclass
class Watch(TrainerCallback):
    """Ten snapshots of the run, with the three ways to take them timed at three of them, and the time that recording takes."""

    trainer: ExampleLossTrainer
    tracked: Sequence[Tracked]
    stages: Stages
    record: Callable[[Event], None]
    steps: int

    def __post_init__(self) -> None:
        self.at = [round(number * self.steps / (SNAPSHOTS - 1)) for number in range(SNAPSHOTS)]
        self.names = {self.at[0]: "start", self.at[SNAPSHOTS // 2 - 1]: "mid", self.at[-1]: "learned"}
        self.last = LastGuesses()
        self.trained_s = self.snapshots_s = self.recording_s = 0.0
        self.began = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._look(0)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.began = time.perf_counter()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        if not logs or "loss" not in logs:
            return
        trained = time.perf_counter()
        visits = self.trainer.take_visits()
        step = StepCompleted(
            step=state.global_step,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            example_index=visits.index,
            example_loss=half_precision(visits.loss),
        )
        self.record(Event(subject=SUBJECT, step_completed=step))
        self.recording_s += time.perf_counter() - trained
        self.trained_s += time.perf_counter() - self.began
        if state.global_step in self.at:
            self._look(state.global_step)

    def _look(self, step: int) -> None:
        questions = [Question(one.encoded, one.limit, self.last.draft(one)) for one in self.tracked]
        if name := self.names.get(step):
            self.stages.measure(name, questions)
        begin, tally, examiner = time.perf_counter(), Tally(), self.stages.examiner
        started = SnapshotStarted(step=step, reason="schedule", examples=len(self.tracked), engine=examiner.engine)
        self.record(Event(subject=SUBJECT, snapshot_started=started))
        seen: list[Observation] = []
        with undisturbed(examiner.model):
            for place, answer in examiner.examine(questions):
                tracked = self.tracked[place]
                seen.append(self.last.observe(Judge(), tracked, answer.guess, answer.expectation))
        for chunk in chunks(seen):
            self.record(Event(subject=SUBJECT, examples_observed=columns(chunk, step)))
        for observation in seen:
            tally.add(observation)
        completed = SnapshotCompleted(
            step=step,
            examples=tally.examples,
            correct=tally.correct,
            mean_loss=tally.mean_loss,
            seconds=time.perf_counter() - begin,
            guessed=tally.examples,
            drafted_tokens=examiner.drafted,
            accepted_tokens=examiner.accepted,
            decoded_tokens=examiner.decoded,
        )
        self.record(Event(subject=SUBJECT, snapshot_completed=completed))
        self.snapshots_s += time.perf_counter() - begin
        say(f"step {step} of {self.steps}: {tally.correct} of {tally.examples} right, loss {tally.mean_loss:.2f}")


def _trained(asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-") as name:
        folder = Path(name)
        base = load_base_model(demo.base_model(), "float32", folder)
        encoder = Encoder(base.tokenizer, 512)
        examples, encoded = _middling(encoder, asked.rows)
        steps = EPOCHS * len(examples) // BATCH
        config = _config(steps)
        model = add_adapter(base.model, config)
        events: list[Event] = []
        tracked = track(examples, encoded, range(len(examples)), config)
        with Producer("bench", folder / "spool.sqlite", NOBODY) as producer:

            def record(event: Event) -> None:
                events.append(event)
                producer.record(event)

            trainer = ExampleLossTrainer(model, training_arguments(config, steps, folder), encoded, encoder.pad_id)
            stages = Stages(Examiner(model, encoder), asked.repeats)
            watch = Watch(trainer, tracked, stages, record, steps)
            trainer.add_callback(watch)
            trainer.train()
    observations = SNAPSHOTS * len(examples)
    return _results(stages) | {
        "share_of_training": round(watch.snapshots_s / watch.trained_s, 4),
        "recording_share": round(watch.recording_s / watch.trained_s, 6),
        "bytes_per_observation": round(log_bytes(events) / observations, 1),
        "json_bytes_per_observation": round(json_bytes(events, examples) / observations, 1),
    }


def _middling(encoder: Encoder, rows: int) -> tuple[list[Example], list[Encoded]]:
    """Problems of about 150 tokens, so that they are learned in minutes. Without GSM8K at hand the demo's questions."""
    examples = read_dataset(GSM8K if GSM8K.is_file() else demo.EXAMPLES).examples
    first = min(SHORTER, max(len(examples) - rows, 0))
    by_length = sorted(examples, key=lambda one: len(one.prompt) + len(one.expected))
    chosen = [replace(one, index=place) for place, one in enumerate(by_length[first : first + rows])]
    return chosen, [encoder.encode(one) for one in chosen]


def _config(steps: int) -> TrainingConfig:
    return TrainingConfig(
        learning_rate=1e-3,
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=1,
        max_steps=steps,
        lora_r=16,
        lora_alpha=32,
        lr_scheduler_type="linear",
        warmup_ratio=0.05,
        max_grad_norm=1.0,
        seed=1,
        dtype="float32",
    )


# ---- a model of a real one's shape ----


def _random_model(shape: dict[str, Any], device: str, rows: int, repeats: int) -> dict[str, Any]:
    with torch.device(device):
        config = Qwen3Config(**shape, max_position_embeddings=4096, tie_word_embeddings=False)
        base: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)  # type: ignore[no-untyped-call]
    model = add_adapter(base, TrainingConfig(lora_r=16, lora_alpha=32, seed=1)).to(device)
    encoder = Encoder(make_tiny_tokenizer(), 2048)
    encoder.stop_ids = [2]
    chance = np.random.default_rng(1)
    prompts = [chance.integers(10, 100_000, chance.integers(80, 160)).tolist() for _ in range(rows)]
    stages = Stages(Examiner(model, encoder), repeats)
    made_stages(stages, prompts, limit=128)
    return _results(stages)


if __name__ == "__main__":
    sys.exit(main())
