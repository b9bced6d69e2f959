"""The cross-entropy of each trained token and of each example. Knows tensors only."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from guessbook.trainer.encoding import IGNORED


def trained_positions(labels: Tensor) -> Tensor:
    """Where the next token is trained: bool of shape (batch, length - 1). `labels`: (batch, length)."""
    return labels[:, 1:] != IGNORED


def trained_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """The logits that predict a trained token, float32 of shape (trained, vocabulary), row by row.

    Only these are widened to float32: a prompt's logits are never looked at.
    """
    return logits[:, :-1][trained_positions(labels)].float()


def token_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of each trained token in nats, float32 of shape (trained,). `logits`: as `trained_logits` gives them."""
    return cross_entropy(logits, labels[:, 1:][trained_positions(labels)], reduction="none")


def example_means(values: Tensor, labels: Tensor) -> Tensor:
    """The mean over each example's trained tokens, shape (batch,). `values`: one per trained token, row by row."""
    trained = trained_positions(labels)
    table = torch.zeros(trained.shape, dtype=values.dtype, device=values.device).masked_scatter(trained, values)
    return table.sum(dim=1) / trained.sum(dim=1)


def half_precision(losses: Sequence[float]) -> list[float]:
    """Losses rounded to what is recorded of them: 11 significant bits, which zstd packs into two thirds of the room."""
    return [float(loss) for loss in torch.tensor(losses).half().float()]
