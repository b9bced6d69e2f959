"""A job's complete training config: what was asked, defaults for the rest, checked."""

import math
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from guessbook.proto.events_pb2 import Needs, TrainingConfig
from guessbook.proto.history_pb2 import Trainer
from guessbook.server.decide.rejection import Invalid

DEFAULTS = TrainingConfig(
    learning_rate=2e-4,
    num_train_epochs=3.0,
    max_steps=0,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=1,
    max_length=1024,
    lora_r=16,
    lora_alpha=32,
    lora_dropout=0.0,
    lr_scheduler_type="linear",
    warmup_ratio=0.0,
    weight_decay=0.0,
    max_grad_norm=1.0,
    seed=42,
    dtype="float32",
    save_steps=100,
    snapshots=True,
    tracked_examples=0,
    max_new_tokens=0,
    scorer="match",
    snapshot_budget_percent=0.0,
    snapshot_budget_seconds=0.0,
    learned_loss=0.5,
    load_in_4bit=False,
    auto_find_batch_size=False,
    num_processes=1,
)
TEXT_TOLD = 200  # characters of a list in a message
_WORDS = {
    "dtype": ("float32", "bfloat16"),
    "lr_scheduler_type": ("linear", "cosine", "constant", "constant_with_warmup"),
    "report_to": ("tensorboard", "wandb", "mlflow", "trackio"),
}
GPU_DTYPE = (
    "bfloat16"  # half the memory of float32 and several times its speed, on GPUs since 2020; slower on most CPUs
)
TRACKED_IDS, TRACKED_IDS_BYTES = 10_000, 256 * 1024  # an event has no room for more

_Rule = tuple[Callable[[Any], bool], str]


def _from(least: float, most: float) -> _Rule:
    return (lambda value: least <= value <= most), f"from {least} to {most}"


def _above_0(most: float) -> _Rule:
    return (lambda value: 0 < value <= most), f"above 0 and at most {most}"


def _is_sha256(value: str) -> bool:
    return len(value) == 64 and set(value) <= set("0123456789abcdef")


def _among(words: tuple[str, ...]) -> _Rule:
    """One of these words, or of a repeated field only these."""
    meaning = f"{', '.join(words[:-1])} or {words[-1]}"
    return (lambda value: set([value] if isinstance(value, str) else value) <= set(words)), meaning


_share: _Rule = (lambda value: 0 <= value < 1, "at least 0 and under 1")

# The maxima are far beyond what anybody trains with: they stop slips of the hand, which would fail only after hours, or never end.
_RULES: dict[str, _Rule] = {
    "learning_rate": _above_0(1),
    "num_train_epochs": _above_0(100_000),
    "max_steps": _from(0, 1_000_000_000),
    "per_device_train_batch_size": _from(1, 65_536),
    "gradient_accumulation_steps": _from(1, 1_000_000),
    "max_length": _from(8, 16_777_216),
    "lora_r": _from(1, 65_536),
    "lora_alpha": _from(1, 1_000_000),
    "lora_dropout": _share,
    "warmup_ratio": _share,
    "weight_decay": _from(0, 100),
    "max_grad_norm": (lambda value: value >= 0 and math.isfinite(value), "a finite number, at least 0"),
    "max_new_tokens": _from(0, 16_777_216),
    "save_steps": _from(1, 1_000_000_000),
    "scorer": (
        lambda value: value.strip() == value != "",
        "a scorer's name: match, number, contains or an installed one",
    ),
    "tracked_ids": (
        lambda value: len(value) <= TRACKED_IDS and sum(len(one.encode()) for one in value) <= TRACKED_IDS_BYTES,
        "at most 10,000 ids of 256 KiB in all",
    ),
    "held_out": (lambda value: not value or _is_sha256(value), "the SHA-256 of an uploaded file, in hex"),
    "snapshot_budget_percent": _from(0, 10_000),
    "snapshot_budget_seconds": _from(0, 1_000_000_000),
    "learned_loss": _above_0(1000),
    "num_processes": _from(0, 4096),
    **{name: _among(words) for name, words in _WORDS.items()},
}


def complete(asked: TrainingConfig, base_model: str, trainers: Iterable[Trainer] = ()) -> TrainingConfig:
    """Raises Invalid, which names the field, what it was and what it must be. `trainers`: all that are known; the defaults are for the connected ones."""
    config = TrainingConfig()
    config.CopyFrom(DEFAULTS)
    gpus = [_has_gpu(trainer) for trainer in trainers if trainer.connected and trainer.devices]
    if gpus and all(gpus):
        config.dtype = GPU_DTYPE
    config.MergeFrom(asked)
    config.base_model = asked.base_model or base_model
    if not config.base_model:
        raise Invalid(
            "no base model is given",
            "Name one (--model, or the field Base model): a Hugging Face id, a local folder or a .gguf file; or start the server with --base-model.",
        )
    check(config)
    if config.load_in_4bit and gpus and not any(gpus):
        raise Invalid(
            "load_in_4bit needs a GPU, and no connected trainer has one",
            "Leave it out, or start a trainer on a machine with a GPU first.",
        )
    return config


def check_needs(config: TrainingConfig, needs: Needs) -> None:
    """Raises Invalid if a job asks for fewer devices than it has processes."""
    if needs.devices and config.num_processes > needs.devices:
        raise Invalid(
            f"num_processes is {config.num_processes}, but the job asks for {needs.devices} devices; each process trains on one",
            "Ask for as many devices as processes, or leave one of them out.",
        )


def check(config: TrainingConfig, fields: Iterable[str] = tuple(_RULES)) -> None:
    """Raises Invalid for the first of the fields that is out of its bounds."""
    for name in fields:
        value = getattr(config, name)
        holds, meaning = _RULES[name]
        if not holds(value):
            told = value if isinstance(value, int | float | str) else ", ".join(value)[:TEXT_TOLD]
            raise Invalid(f"{name} is {told}; it must be {meaning}", _hint(name, told))


def _hint(name: str, told: object) -> str:
    near = get_close_matches(str(told), _WORDS.get(name, ()), 1)
    return f"Did you mean {near[0]}?" if near else "Give it another value."


def _has_gpu(trainer: Trainer) -> bool:
    return any(device.name != "cpu" for device in trainer.devices)
