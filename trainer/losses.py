"""The cross-entropy of each trained token and of each example. Knows tensors only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from guessbook.trainer.encoding import IGNORED

PIECE = 512  # places looked at at once


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


@dataclass(frozen=True)
class Scores:
    """Of each place: the most likely token, its probability, and the loss of the token that was expected, in nats."""

    top: list[int]
    probability: list[float]
    loss: list[float]

    def parts(self, counts: Iterable[int]) -> "Iterator[Scores]":
        """The scores of so many places each, in order."""
        begin = 0
        for count in counts:
            part = slice(begin, begin + count)
            yield Scores(self.top[part], self.probability[part], self.loss[part])
            begin += count


def scored(logits: Tensor, expected: Tensor) -> Scores:
    """Looks at logits of shape (places, vocabulary), of any dtype. `expected`: int64 of shape (places,), IGNORED where nothing is.

    In pieces: widened to float32 all of them at once could take more memory than the model itself.
    """
    pieces: list[tuple[Tensor, Tensor, Tensor]] = []
    for piece, tokens in zip(torch.split(logits, PIECE), torch.split(expected, PIECE), strict=True):
        wide = piece.float()
        total = wide.logsumexp(dim=-1)
        top = wide.argmax(dim=-1)
        highest, own = (wide.gather(1, column[:, None])[:, 0] for column in (top, tokens.clamp(min=0)))
        pieces.append((top, torch.exp(highest - total), torch.where(tokens == IGNORED, 0.0, total - own)))
    top, probability, loss = (torch.cat(column) for column in zip(*pieces, strict=True))
    return Scores(top.tolist(), probability.tolist(), loss.tolist())


def half_precision(losses: Sequence[float]) -> list[float]:
    """Losses rounded to what is recorded of them: 11 significant bits, which zstd packs into two thirds of the room."""
    return [float(loss) for loss in torch.tensor(losses).half().float()]
