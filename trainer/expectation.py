"""How well the model expects the right answer: one forward pass with the answer given. Knows losses, not guesses."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from guessbook.trainer.encoding import Collator, Encoded
from guessbook.trainer.losses import example_means, token_losses, trained_logits, trained_positions


@dataclass(frozen=True)
class Expectation:
    """`loss`: mean over the expected tokens, in nats. `token_accuracy`: share of them that are the arg max, 0..1."""

    loss: float
    token_accuracy: float


@torch.no_grad()
def expectations(model: PeftModel | PreTrainedModel, examples: Sequence[Encoded], pad_id: int) -> list[Expectation]:
    """Teacher-forced, one per example, in order. The model must be in eval mode."""
    batch = {name: tensor.to(model.device) for name, tensor in Collator(pad_id)(examples).items()}
    labels = batch["labels"]
    output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False)
    logits = trained_logits(output.logits, labels)
    losses = example_means(token_losses(logits, labels), labels)
    hits = logits.argmax(dim=-1) == labels[:, 1:][trained_positions(labels)]
    accuracies = example_means(hits.float(), labels)
    return [Expectation(*pair) for pair in zip(losses.tolist(), accuracies.tolist(), strict=True)]
