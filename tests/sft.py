"""Other people's training in miniature: a plain transformers Trainer and TRL's SFTTrainer on sums, with the tiny model."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # trl looks at it when it is imported

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

SUMS = [{"prompt": f"What is {i}+{i}? ", "completion": str(2 * i)} for i in range(12)]
CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {i}+{i}?"},
            {"role": "assistant", "content": str(2 * i)},
        ]
    }
    for i in range(12)
]
Weights = dict[str, torch.Tensor]


def sft(
    model: Path,
    folder: Path,
    callbacks: Sequence[TrainerCallback] = (),
    *,
    rows: Sequence[dict[str, Any]] = SUMS,
    lora: bool = True,
    **arguments: Any,
) -> SFTTrainer:
    """A trainer of 6 steps of 2 × 3 examples, with dropout where there is an adapter."""
    values: dict[str, Any] = {
        "output_dir": str(folder / "sums"),
        "max_steps": 6,
        "per_device_train_batch_size": 3,
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2,
        "logging_steps": 4,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "bf16": False,
        "seed": 7,
    }
    adapter = LoraConfig(task_type="CAUSAL_LM", r=4, lora_dropout=0.1, target_modules="all-linear") if lora else None
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=SFTConfig(**(values | arguments)),
        train_dataset=Dataset.from_list([dict(row) for row in rows]),
        eval_dataset=Dataset.from_list([dict(row) for row in rows]) if "eval_strategy" in arguments else None,
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=adapter,
        callbacks=list(callbacks),
    )


def plain(
    model: Path, folder: Path, callbacks: Sequence[TrainerCallback], collate: Callable[..., Any], **arguments: Any
) -> Trainer:
    """transformers' own Trainer, fine-tuning every weight on rows that are tokenized already."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = []
    for record in SUMS:
        prompt = tokenizer(record["prompt"]).input_ids
        answer = [*tokenizer(record["completion"]).input_ids, tokenizer.eos_token_id]
        rows.append({"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer})
    values: dict[str, Any] = {
        "output_dir": str(folder / "plain"),
        "max_steps": 4,
        "per_device_train_batch_size": 3,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": 7,
    }
    return Trainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=TrainingArguments(**(values | arguments)),
        train_dataset=rows,
        data_collator=collate,
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )


def weights(trainer: Trainer) -> Weights:
    assert trainer.model is not None
    return {name: tensor.detach().clone() for name, tensor in trainer.model.state_dict().items()}
