"""What somebody else's trainer says of itself, in the words of a job's config. Knows transformers' arguments and PEFT's, not the book."""

from typing import Any

import torch
from transformers import TrainingArguments

from guessbook.proto.events_pb2 import TrainingConfig


def told_config(args: TrainingArguments, model: Any, total_steps: int) -> TrainingConfig:
    """What is known is filled in; what isn't (an optimizer of its own, say) stays empty."""
    config = TrainingConfig(
        base_model=getattr(model.config, "_name_or_path", "") or type(model).__name__,
        learning_rate=args.learning_rate,
        num_train_epochs=args.num_train_epochs,
        max_steps=max(args.max_steps, 0),
        per_device_train_batch_size=args.per_device_train_batch_size,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        max_length=getattr(args, "max_length", None) or 0,
        lr_scheduler_type=str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)),
        warmup_ratio=args.get_warmup_steps(total_steps) / max(total_steps, 1),
        weight_decay=args.weight_decay,
        max_grad_norm=args.max_grad_norm,
        seed=args.seed,
        dtype=_dtype(args, model),
        report_to=args.report_to,
    )
    if args.save_strategy == "steps" and args.save_steps >= 1:
        config.save_steps = int(args.save_steps)
    adapters = getattr(model, "peft_config", None)
    if isinstance(adapters, dict):
        _add_lora(config, next(iter(adapters.values()), None))
    return config


def _dtype(args: TrainingArguments, model: Any) -> str:
    mixed = "bfloat16" if args.bf16 else "float16" if args.fp16 else ""
    return mixed or str(getattr(model, "dtype", torch.float32)).removeprefix("torch.")


def _add_lora(config: TrainingConfig, lora: Any) -> None:
    if not hasattr(lora, "lora_alpha"):
        return  # another kind of adapter
    config.lora_r, config.lora_alpha, config.lora_dropout = lora.r, int(lora.lora_alpha), lora.lora_dropout
    modules = lora.target_modules or ()
    # PEFT may list each layer's own module; which kinds they are is what a person named.
    kinds = {modules} if isinstance(modules, str) else {name.rpartition(".")[2] for name in modules}
    config.lora_target_modules.extend(sorted(kinds))
