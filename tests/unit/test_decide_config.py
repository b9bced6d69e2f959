"""What a job's training config may be."""

import math
from typing import Any

import pytest

from guessbook.proto.events_pb2 import Device, Needs, TrainingConfig
from guessbook.proto.history_pb2 import Trainer
from guessbook.server.decide.config import DEFAULTS, check_needs, complete
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


def trainer(*devices: str, connected: bool = True) -> Trainer:
    return Trainer(id="box", connected=connected, devices=[Device(name=name) for name in devices])


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [("lr_scheduler_type", "cosin", "cosine"), ("dtype", "bf16", "bfloat16"), ("dtype", "float", "float32")],
)
def test_a_word_that_is_none_is_answered_with_the_nearest(field: str, value: str, nearest: str) -> None:
    with pytest.raises(Invalid, match=f"{field} is {value}; it must be ") as raised:
        complete(TrainingConfig(**{field: value}), "some/model")  # type: ignore[arg-type]
    assert raised.value.hint == f"Did you mean {nearest}?"


def test_where_all_trainers_have_a_gpu_training_is_in_bfloat16() -> None:
    nothing = TrainingConfig()
    gpu, cpu, away = trainer("NVIDIA H100"), trainer("cpu"), trainer("NVIDIA H100", connected=False)
    assert complete(nothing, "some/model", [gpu, trainer()]).dtype == "bfloat16"
    assert complete(TrainingConfig(dtype="float32"), "some/model", [gpu]).dtype == "float32"
    assert complete(nothing, "some/model", [gpu, cpu]).dtype == "float32"
    assert complete(nothing, "some/model", [away]).dtype == complete(nothing, "some/model").dtype == "float32"


def test_4_bits_need_a_gpu() -> None:
    asked = TrainingConfig(load_in_4bit=True)
    with pytest.raises(Invalid, match="load_in_4bit needs a GPU"):
        complete(asked, "some/model", [trainer("cpu")])
    assert complete(asked, "some/model", [trainer("NVIDIA H100"), trainer("cpu")]).load_in_4bit
    assert complete(asked, "some/model").load_in_4bit  # a trainer may come


def test_each_process_needs_a_device_of_those_that_are_asked_for() -> None:
    config = complete(TrainingConfig(num_processes=4), "some/model")
    with pytest.raises(Invalid, match="num_processes is 4, but the job asks for 2 devices"):
        check_needs(config, Needs(devices=2))
    check_needs(config, Needs(devices=4))
    check_needs(config, Needs())
