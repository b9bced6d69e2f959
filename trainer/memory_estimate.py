"""How much memory a job takes at its fullest, told from the model's shape before its weights are loaded. Knows shapes, no data.

In bytes, for LoRA on a frozen model without gradient checkpointing:

- weights: of the model in its dtype. With load_in_4bit its linear layers take 4 bits and a float32 scale for each 64 weights (Dettmers et al. 2023, QLoRA).
- adapter: 16 a trained parameter: weight, gradient and the two moments of AdamW, in float32 (Rajbhandari et al. 2020, ZeRO, section 3.1).
- activations: what the backward pass needs of every layer for each token, counted as in Korthikanti et al. 2022 (Reducing Activation Recomputation),
  section 4.1, for today's blocks: the two norms with their inputs, query, key, value (for all heads) and twice the output of the attention, and four
  times the width of the MLP. In bfloat16 the norms' inputs are kept in float32, and each adapter keeps an input of its own. No scores, since attention
  is fused.
- logits: of a batch, and their gradient, in the model's dtype; and in float32 widened, as log-probabilities, and as a gradient.

It is within FACTOR of what was measured, apart from what an allocator wastes: glibc's may take twice as much for small models on a CPU
(tests/integration/test_memory_estimate.py).
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from guessbook.proto.events_pb2 import Device, Failure, TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer.errors import TrainingError

FACTOR = 1.4  # between an estimate and what is really taken
GIGABYTE = 1e9
CHARACTERS_PER_TOKEN = 4  # of English; other texts have fewer, so what is refused is too large in any case
ADAPTER_BYTES = 16
QUANTISED_BYTES = 0.5 + 4 / 64
_BYTES = {"float32": 4, "bfloat16": 2}

_log = logging.getLogger("guessbook.trainer")


class TooLarge(TrainingError):
    """What was asked for can't fit, whatever the data is."""

    failure = Failure.FAILURE_OUT_OF_MEMORY


@dataclass(frozen=True)
class MemoryEstimate:
    """In bytes."""

    weights: float
    adapter: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.weights + self.adapter + self.activations + self.logits

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / GIGABYTE:.3g}" for name, size in vars(self).items())
        return f"{self.total / GIGABYTE:.3g} GB ({parts})"


def check(
    config: TrainingConfig, base_model: str | Path, devices: Sequence[Device], examples: Sequence[Example]
) -> None:
    """Raises TooLarge if the job can't fit into the largest of the devices; says so in the log if it might not.

    `base_model`: a folder or a Hugging Face id. Of a GGUF file, and of what can't be read, nothing is said: loading it will tell.
    """
    memory = max((device.memory_bytes for device in devices), default=0)
    if not memory:
        return
    smallest = TrainingConfig()
    smallest.CopyFrom(config)
    if config.auto_find_batch_size:
        smallest.per_device_train_batch_size = 1
    told = of_job(smallest, base_model, examples)
    if told is None:
        return
    needed = f"the job takes about {told}; the device has {memory / GIGABYTE:.3g} GB"
    if told.weights + told.adapter > memory or told.total > memory * FACTOR:
        raise TooLarge(needed, _advice(config, told))
    if told.total > memory:
        _log.warning("This may not fit: %s.", needed)


def of_job(config: TrainingConfig, base_model: str | Path, examples: Sequence[Example]) -> MemoryEstimate | None:
    """Of one process. None where the model's shape isn't known: of a GGUF file, and of what can't be read."""
    if str(base_model).endswith(".gguf"):
        return None
    longest = max((len(one.prompt) + len(one.expected) for one in examples), default=0)
    try:
        model = AutoConfig.from_pretrained(
            Path(base_model).expanduser() if str(base_model).startswith("~") else base_model
        )
        return estimate(config, model, math.ceil(longest / CHARACTERS_PER_TOKEN))
    except (
        OSError,
        ValueError,
        AttributeError,
    ) as error:  # there is none, or its layers have no attention as it is known here
        _log.info("The memory that %s takes is not known: %s", base_model, error)
        return None


def estimate(config: TrainingConfig, model: PretrainedConfig, tokens: int) -> MemoryEstimate:
    """Of one process. `tokens`: of the longest example, before it is cut at max_length."""
    with torch.device("meta"):  # shapes without weights, so that it is exact for every architecture
        empty: PreTrainedModel = AutoModelForCausalLM.from_config(model)  # type: ignore[no-untyped-call]
    text = model.get_text_config()
    size = _BYTES.get(config.dtype, 4)
    batch_tokens = config.per_device_train_batch_size * min(config.max_length, tokens)
    shapes = _linear_shapes(empty)
    linear = sum(math.prod(shape) for shape in shapes.values())
    plain = sum(one.numel() for one in empty.parameters()) - linear
    return MemoryEstimate(
        weights=plain * size + linear * (QUANTISED_BYTES if config.load_in_4bit else size),
        adapter=_adapter_parameters(config, shapes) * ADAPTER_BYTES,
        activations=batch_tokens * text.num_hidden_layers * _layer_width(text, size) * size,
        logits=batch_tokens * text.vocab_size * (2 * size + 3 * 4),
    )


def _linear_shapes(model: PreTrainedModel) -> dict[str, torch.Size]:
    """The linear layers by name, but the one that gives the logits."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return {
        name: one.weight.shape
        for name, one in model.named_modules()
        if isinstance(one, torch.nn.Linear | Conv1D) and one is not head
    }


def _adapter_parameters(config: TrainingConfig, shapes: Mapping[str, torch.Size]) -> int:
    wanted = set(config.lora_target_modules) - {"all-linear"}
    return sum(
        config.lora_r * sum(shape) for name, shape in shapes.items() if not wanted or name.rpartition(".")[2] in wanted
    )


def _layer_width(text: PretrainedConfig, size: int) -> int:
    """Numbers that one layer keeps for each token."""
    hidden: int = text.hidden_size
    heads: int = text.num_attention_heads
    head_size: int = getattr(text, "head_dim", None) or hidden // heads
    inner: int = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * hidden
    return (4 if size == 4 else 9) * hidden + 5 * heads * head_size + 4 * inner


def _advice(config: TrainingConfig, told: MemoryEstimate) -> str:
    """What makes most room first."""
    if told.activations + told.logits > told.weights:
        return "Submit it again with a smaller per_device_train_batch_size (raise gradient_accumulation_steps to make up for it) or a smaller max_length."
    smaller = (
        "" if config.load_in_4bit else "load_in_4bit on a GPU, " if config.dtype == "bfloat16" else "dtype bfloat16, "
    )
    return f"Submit it again with {smaller}a smaller base model, or run a trainer on a device with more memory."
