"""A job's complete training config: what was asked, defaults for the rest, checked."""

from collections.abc import Callable
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
)

_positive: tuple[Callable[[Any], bool], str] = (lambda value: value > 0, "above 0")
_share: tuple[Callable[[Any], bool], str] = (lambda value: 0 <= value < 1, "at least 0 and under 1")
_at_least_0: tuple[Callable[[Any], bool], str] = (lambda value: value >= 0, "at least 0")

_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "learning_rate": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "num_train_epochs": _positive,
    "per_device_train_batch_size": _positive,
    "gradient_accumulation_steps": _positive,
    "max_length": (lambda value: value >= 8, "at least 8"),
    "lora_r": _positive,
    "lora_alpha": _positive,
    "lora_dropout": _share,
    "warmup_ratio": _share,
    "weight_decay": _at_least_0,
    "max_grad_norm": _at_least_0,
    "save_steps": _positive,
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
    for name, (holds, meaning) in _RULES.items():
        value = getattr(config, name)
        if not holds(value):
            raise Invalid(f"{name} is {value}; it must be {meaning}", "Submit it again with another value.")
    return config
