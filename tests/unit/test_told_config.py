"""What a trainer's arguments and its adapter say, in the words of a job's config."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_model import make_tiny_model
from transformers import AutoModelForCausalLM, TrainingArguments

from guessbook.trainer.told_config import told_config


# peft asks transformers for this attribute by its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_what_is_known_is_told_and_nothing_else(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    args = TrainingArguments(
        output_dir=str(tmp_path),
        learning_rate=3e-4,
        max_steps=40,
        warmup_steps=10,
        lr_scheduler_type="cosine_with_restarts",
        save_steps=7,
        save_strategy="steps",
        report_to="none",
        use_cpu=True,
        seed=11,
    )
    plain = told_config(args, model, 40)
    assert (plain.base_model, plain.learning_rate, plain.max_steps, plain.seed) == (str(folder), 3e-4, 40, 11)
    assert (plain.warmup_ratio, plain.save_steps, plain.dtype) == (0.25, 7, "float32")
    assert plain.lr_scheduler_type == "cosine_with_restarts"
    assert not plain.HasField("lora_r")
    lora = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=12, lora_dropout=0.25, target_modules="all-linear")
    adapted = told_config(args, get_peft_model(model, lora), 40)
    assert (adapted.lora_r, adapted.lora_alpha, adapted.lora_dropout) == (4, 12, 0.25)
    assert "q_proj" in adapted.lora_target_modules
    assert len(adapted.lora_target_modules) == 7
