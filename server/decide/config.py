"""A job's complete training config: what was asked, defaults for the rest, checked."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from guessbook.proto.events_pb2 import TrainingConfig
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
)
TEXT_TOLD = 200  # characters of a list in a message
MIRRORS = ("tensorboard", "wandb", "mlflow", "trackio")
TRACKED_IDS, TRACKED_IDS_BYTES = 10_000, 256 * 1024  # an event has no room for more

_Rule = tuple[Callable[[Any], bool], str]


def _from(least: float, most: float) -> _Rule:
    return (lambda value: least <= value <= most), f"from {least} to {most}"


def _above_0(most: float) -> _Rule:
    return (lambda value: 0 < value <= most), f"above 0 and at most {most}"


def _is_sha256(value: str) -> bool:
    return len(value) == 64 and set(value) <= set("0123456789abcdef")


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
    "report_to": (lambda value: set(value) <= set(MIRRORS), f"among {', '.join(MIRRORS)}"),
    "dtype": (lambda value: value in ("float32", "bfloat16"), "float32 or bfloat16"),
    "lr_scheduler_type": (
        lambda value: value in ("linear", "cosine", "constant", "constant_with_warmup"),
        "linear, cosine, constant or constant_with_warmup",
    ),
}


def complete(asked: TrainingConfig, base_model: str) -> TrainingConfig:
    """Raises Invalid, which names the field, what it was and what it must be."""
    config = TrainingConfig()
    config.CopyFrom(DEFAULTS)
    config.MergeFrom(asked)
    config.base_model = asked.base_model or base_model
    if not config.base_model:
        raise Invalid(
            "no base model is given",
            "Name one with --model: a Hugging Face id, a local folder or a .gguf file; or start the server with --base-model.",
        )
    check(config)
    return config


def check(config: TrainingConfig, fields: Iterable[str] = tuple(_RULES)) -> None:
    """Raises Invalid for the first of the fields that is out of its bounds."""
    for name in fields:
        value = getattr(config, name)
        holds, meaning = _RULES[name]
        if not holds(value):
            told = value if isinstance(value, int | float | str) else ", ".join(value)[:TEXT_TOLD]
            raise Invalid(f"{name} is {told}; it must be {meaning}", "Give it another value.")
