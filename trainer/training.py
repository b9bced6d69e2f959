"""The training loop: transformers' Trainer with a LoRA adapter, which also tells each example's own loss.

Knows transformers and peft. Doesn't know events, snapshots or jobs: callbacks see to those.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments, set_seed

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer.encoding import Collator, Encoded
from guessbook.trainer.losses import example_means, token_losses, trained_logits


@dataclass
class Visits:
    """The examples of one optimizer step in the order they were trained, with the loss of each before the update."""

    index: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)  # nats per trained token
    tokens: int = 0  # that went through the model, without padding


class ExampleLossTrainer(Trainer):
    """A Trainer that optimizes the same loss (the mean over all trained tokens of an optimizer step) and, out of the
    same forward pass, keeps each example's own mean loss.
    """

    def __init__(self, model: PeftModel, args: TrainingArguments, examples: Sequence[Encoded], pad_id: int) -> None:
        super().__init__(model=model, args=args, train_dataset=examples, data_collator=Collator(pad_id))
        self.remove_callback(PrinterCallback)
        # These two make the Trainer count the trained tokens of all micro-batches of a step and leave the scaling to compute_loss.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._visits: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """This micro-batch's share of the step's loss: its token losses' sum over the trained tokens of the whole step."""
        labels, index = inputs.pop("labels"), inputs.pop("index")
        outputs = model(**inputs)
        losses = token_losses(trained_logits(outputs.logits, labels), labels)
        self._visits.append((index, example_means(losses.detach(), labels), inputs["attention_mask"].sum()))
        loss = losses.mean() if num_items_in_batch is None else losses.sum() / num_items_in_batch
        return (loss, outputs) if return_outputs else loss

    def take_visits(self) -> Visits:
        """The visits since the last call. Waits for the device, so it is called once a step."""
        visits = Visits()
        for index, loss, tokens in self._visits:
            visits.index += index.tolist()
            visits.loss += loss.tolist()
            visits.tokens += int(tokens)
        self._visits.clear()
        return visits


def add_adapter(model: PreTrainedModel, config: TrainingConfig) -> PeftModel:
    """A fresh LoRA adapter on the model, its random start decided by the seed alone."""
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_target_modules) or "all-linear",
    )
    set_seed(seed_of(config))
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 for this attribute by its old name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return get_peft_model(model, lora)


def load_adapter(model: PreTrainedModel, folder: Path, config: TrainingConfig) -> PeftModel:
    """An adapter that was trained before, to be trained on; its dropout is the config's."""
    set_seed(seed_of(config))
    adapter = LoraConfig.from_pretrained(str(folder))
    adapter.inference_mode, adapter.lora_dropout = False, config.lora_dropout
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return PeftModel.from_pretrained(model, folder, is_trainable=True, config=adapter)


def seed_of(config: TrainingConfig) -> int:
    """The job's seed in the 32 bits that NumPy takes."""
    return config.seed % 2**32


def training_arguments(config: TrainingConfig, total_steps: int, folder: Path) -> TrainingArguments:
    """The job's config in transformers' words. `folder` is where checkpoints go; callbacks decide when."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=total_steps,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_ratio,  # below 1 it is a share of all steps
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        seed=seed_of(config),
        bf16=config.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number is shown as what it is
        save_strategy="no",
        report_to=list(config.report_to) or "none",
        run_name=folder.name,
        project="guessbook",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
