"""The training loop: transformers' Trainer with a LoRA adapter, which also tells each example's own loss.

Knows transformers and peft. Doesn't know events, snapshots or jobs: callbacks see to those.
"""

import difflib
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.utils import get_total_norm
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments, set_seed

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer import checkpoint
from guessbook.trainer.encoding import Collator, Encoded
from guessbook.trainer.errors import NotFinite, UnusableSetting
from guessbook.trainer.losses import example_means, token_losses, trained_logits
from guessbook.trainer.ranks import gathered

NAMED = 20  # examples or modules that a message names
_CALMER = "Submit it again with a lower learning_rate, a longer warm-up or a smaller max_grad_norm, and look at what is in these examples."


@dataclass
class Visits:
    """The examples of one optimizer step in the order they were trained, with the loss of each before the update."""

    index: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)  # nats per trained token
    tokens: int = 0  # that went through the model, without padding

    @classmethod
    def merged(cls, parts: Sequence["Visits"]) -> "Visits":
        """Those of all processes that trained the step, rank by rank."""
        indices, losses = ([one for part in parts for one in getattr(part, name)] for name in ("index", "loss"))
        return cls(indices, losses, sum(part.tokens for part in parts))


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
        self._losses: list[torch.Tensor] = []  # of the step's micro-batches

    def _get_output_dir(self, trial: Any) -> str:
        """Where the Trainer writes a checkpoint. What becomes of it is a callback's affair."""
        return gathered(str(checkpoint.staging(Path(self.args.output_dir or ""))))[0]

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
        share = self.accelerator.num_processes  # whose gradients are averaged
        loss = losses.mean() if num_items_in_batch is None else losses.sum() / num_items_in_batch * share
        self._losses.append(loss.detach())
        return (loss, outputs) if return_outputs else loss

    def take_visits(self) -> Visits:
        """The visits since the last call. Waits for the device, so it is called once a step."""
        visits = Visits()
        for index, loss, tokens in self._visits:
            visits.index += index.tolist()
            visits.loss += loss.tolist()
            visits.tokens += int(tokens)
        self._visits.clear()
        self._losses.clear()
        return visits

    def require_finite(self, step: int) -> None:
        """Raises NotFinite unless the loss and the gradient of the step at hand are numbers. Before its update; waits for the device."""
        loss = float(torch.stack(self._losses).sum())
        largest = _largest(one.grad for one in self._trained() if one.grad is not None)
        if math.isfinite(loss) and math.isfinite(largest):
            return
        visits = self.take_visits()
        bad = [str(index) for index, own in zip(visits.index, visits.loss, strict=True) if not math.isfinite(own)]
        raise NotFinite(
            f"at step {step} the loss is {loss:g} and its gradient's largest part {largest:g}; its examples have the indices "
            f"{', '.join(map(str, visits.index[:NAMED]))}"
            + (f", no number is the loss of {', '.join(bad[:NAMED])}" if bad else ""),
            f"Nothing was updated by that step, and the last checkpoint is kept. {_CALMER}",
        )

    def require_finite_weights(self, step: int) -> None:
        """Raises NotFinite if an update made weights that are no numbers."""
        if not math.isfinite(_largest(one.detach() for one in self._trained())):
            raise NotFinite(
                f"the update of step {step} made weights that are no numbers",
                f"They were not saved; the last checkpoint is kept. {_CALMER}",
            )

    def _trained(self) -> Iterator[torch.nn.Parameter]:
        assert self.model is not None
        return (one for one in self.model.parameters() if one.requires_grad)


def _largest(tensors: Iterable[torch.Tensor]) -> float:
    """The largest absolute value; what is no number comes through. A sum of squares would overflow before the values do."""
    return float(get_total_norm(tensors, norm_type=math.inf))


def make_deterministic() -> None:
    """On a GPU, the kernels that give the same bits each time, where there are such; torch warns of those that have none. A CPU needs nothing.

    So a run that is taken up again ends as if it had never been away. Costs some speed; without it sums come in whatever order threads finish.
    """
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def add_adapter(model: PreTrainedModel, config: TrainingConfig) -> PeftModel:
    """A fresh LoRA adapter on the model, its random start decided by the seed alone. Raises UnusableSetting for modules that it doesn't have."""
    _require_modules(model, config.lora_target_modules)
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


def _require_modules(model: PreTrainedModel, wanted: Sequence[str]) -> None:
    """PEFT takes the last parts of a module's path, and is content if one of the names is right."""
    paths = [name for name, _ in model.named_modules() if name]
    known = sorted({path.rpartition(".")[2] for path in paths if not path.rpartition(".")[2].isdigit()})
    for name in wanted:
        if name != "all-linear" and not any(path == name or path.endswith(f".{name}") for path in paths):
            nearest = difflib.get_close_matches(name, known, 3) or known[:NAMED]
            raise UnusableSetting(
                f"the model has no module {name} to put an adapter on (lora_target_modules)",
                f"It has, among others: {', '.join(nearest)}. Leave lora_target_modules out for all linear layers.",
            )


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
    arguments = TrainingArguments(
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
    arguments._n_gpu = min(
        arguments.n_gpu, 1
    )  # a process trains on one; with more in sight the Trainer would split its batches
    return arguments
