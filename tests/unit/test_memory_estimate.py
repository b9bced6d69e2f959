"""How much memory a job is said to take, by hand-computed shapes, and when it is refused."""

from pathlib import Path

import pytest
from transformers import LlamaConfig

from guessbook.proto.events_pb2 import FAILURE_OUT_OF_MEMORY, Device, TrainingConfig
from guessbook.server.decide.config import complete
from guessbook.store.dataset import Example
from guessbook.trainer.memory_estimate import QUANTISED_BYTES, TooLarge, check, estimate

HIDDEN, INNER, LAYERS, VOCABULARY, HEADS, GROUPS = 8, 16, 2, 32, 2, 1
SHAPE = LlamaConfig(
    hidden_size=HIDDEN,
    intermediate_size=INNER,
    num_hidden_layers=LAYERS,
    vocab_size=VOCABULARY,
    num_attention_heads=HEADS,
    num_key_value_heads=GROUPS,
    tie_word_embeddings=False,
)
# Query and output 8x8, key and value 4x8, gate and up 16x8, down 8x16.
LINEAR = LAYERS * (2 * 8 * 8 + 2 * 4 * 8 + 3 * 16 * 8)
OTHER = 2 * VOCABULARY * HIDDEN + (2 * LAYERS + 1) * HIDDEN  # embeddings, logits and norms
LORA = LAYERS * (2 * (8 + 8) + 2 * (4 + 8) + 3 * (16 + 8))  # parameters for each rank


def config(**asked: object) -> TrainingConfig:
    return complete(TrainingConfig(**asked), "some/model")  # type: ignore[arg-type]


def test_every_part_is_as_computed_by_hand() -> None:
    told = estimate(config(lora_r=4, per_device_train_batch_size=3, max_length=100, dtype="float32"), SHAPE, 10)
    assert told.weights == (LINEAR + OTHER) * 4
    assert told.adapter == 4 * LORA * 16
    assert told.activations == 3 * 10 * LAYERS * (4 * HIDDEN + 5 * HIDDEN + 4 * INNER) * 4
    assert told.logits == 3 * 10 * VOCABULARY * (2 * 4 + 3 * 4)
    assert told.total == told.weights + told.adapter + told.activations + told.logits


def test_an_example_counts_up_to_max_length() -> None:
    short, long = (estimate(config(max_length=16), SHAPE, tokens) for tokens in (16, 10_000))
    assert short == long


def test_4_bits_are_for_linear_layers_and_an_adapter_may_be_on_some() -> None:
    told = estimate(config(load_in_4bit=True, dtype="bfloat16"), SHAPE, 10)
    assert told.weights == OTHER * 2 + LINEAR * QUANTISED_BYTES
    some = estimate(config(lora_r=1, lora_target_modules=["q_proj", "v_proj"]), SHAPE, 10)
    assert some.adapter == LAYERS * ((8 + 8) + (4 + 8)) * 16


def test_what_cannot_fit_is_refused_with_figures_and_advice(tmp_path: Path) -> None:
    SHAPE.save_pretrained(tmp_path)
    examples = [Example(0, "0", prompt="x" * 4000, expected="")]
    gpu = [Device(name="small", memory_bytes=10_000), Device(name="tiny", memory_bytes=1)]
    with pytest.raises(
        TooLarge, match=r"the job takes about .* GB \(weights .*, logits .*\); the device has 1e-05 GB"
    ) as raised:
        check(config(), tmp_path, gpu, examples)
    assert "per_device_train_batch_size" in raised.value.hint
    assert raised.value.failure == FAILURE_OUT_OF_MEMORY
    with pytest.raises(TooLarge) as raised:
        check(config(), tmp_path, gpu, [])
    assert "dtype bfloat16" in raised.value.hint


def test_what_may_fit_is_not_refused(tmp_path: Path) -> None:
    SHAPE.save_pretrained(tmp_path)
    check(config(), tmp_path, [Device(memory_bytes=10**9)], [Example(0, "0", "a", "b")])
    check(config(), tmp_path, [], [])  # a trainer that declares no memory
    check(config(), tmp_path / "nowhere", [Device(memory_bytes=1)], [])  # loading it will tell
