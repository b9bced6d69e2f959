"""What a job's training config may be."""

import math
from typing import Any

import pytest

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.server.decide.config import DEFAULTS, complete
from guessbook.server.decide.rejection import Invalid


def test_what_is_not_asked_for_has_a_default() -> None:
    config = complete(TrainingConfig(lora_r=8), "some/model")
    assert (config.base_model, config.lora_r, config.learning_rate) == ("some/model", 8, DEFAULTS.learning_rate)


@pytest.mark.parametrize(
    "field", ["learning_rate", "num_train_epochs", "lora_dropout", "warmup_ratio", "weight_decay", "max_grad_norm"]
)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -1.0])
def test_a_number_that_is_none_is_named(field: str, value: float) -> None:
    with pytest.raises(Invalid, match=f"{field} is {value}; it must be "):
        complete(TrainingConfig(**{field: value}), "some/model")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_train_epochs", 1e300),
        ("weight_decay", 1e300),
        ("max_steps", 2**32 - 1),
        ("per_device_train_batch_size", 2**32 - 1),
        ("gradient_accumulation_steps", 2**32 - 1),
        ("max_length", 2**32 - 1),
        ("lora_r", 2**32 - 1),
        ("lora_alpha", 2**32 - 1),
        ("max_new_tokens", 2**32 - 1),
        ("lora_r", 0),
        ("max_length", 7),
        ("save_steps", 0),
        ("num_train_epochs", 0.0),
    ],
)
def test_what_nobody_can_mean_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid, match=field):
        complete(TrainingConfig(**{field: value}), "some/model")


def test_what_people_train_with_is_taken() -> None:
    asked = TrainingConfig(num_train_epochs=0.5, max_grad_norm=0.0, weight_decay=0.1, max_length=131_072, lora_r=256)
    assert complete(asked, "some/model").lora_r == 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scorer", ""),
        ("scorer", " match"),
        ("held_out", "facts.jsonl"),
        ("snapshot_budget_percent", -1.0),
        ("snapshot_budget_percent", math.nan),
        ("snapshot_budget_seconds", math.inf),
        ("learned_loss", 0.0),
        ("tracked_ids", ["x" * 200] * 2000),
        ("report_to", ["tensorboard", "facebook"]),
    ],
)
def test_what_a_snapshot_cannot_be_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid, match=field):
        complete(TrainingConfig(**{field: value}), "some/model")


def test_what_a_snapshot_can_be_is_taken() -> None:
    config = complete(
        TrainingConfig(
            scorer="my_package.bleu",
            held_out="0" * 64,
            snapshot_budget_percent=5.0,
            tracked_ids=["e1", "e2"],
            report_to=["wandb"],
        ),
        "some/model",
    )
    assert (config.scorer, config.learned_loss, config.snapshot_budget_seconds) == ("my_package.bleu", 0.5, 0.0)
