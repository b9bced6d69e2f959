"""What a job is said to take, against what it takes: real training, in processes of their own."""

from pathlib import Path
from typing import Any

import pytest
from peak_memory import measured
from tiny_model import make_tiny_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from guessbook.trainer.memory_estimate import FACTOR


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ({"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "vocab_size": 8192}, "float32"),
        ({"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 12, "vocab_size": 512}, "bfloat16"),
    ],
    ids=["many-tokens", "many-layers"],
)
def test_the_estimate_is_within_its_factor_of_what_training_takes(
    shape: dict[str, Any], dtype: str, tmp_path: Path
) -> None:
    tokenizer = make_tiny_tokenizer()
    config = LlamaConfig(
        **shape,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    peak, estimate = measured(tmp_path, 2, 512, dtype)
    assert estimate / FACTOR < peak < estimate * FACTOR
