"""Where two greedy guesses part, and how sure the model was there."""

from collections.abc import Sequence

import torch

from guessbook.trainer.encoding import Encoded


def gap_where_they_part(model: torch.nn.Module, encoded: Encoded, one: Sequence[int], other: Sequence[int]) -> float:
    """By how much the model's first choice is above its second, in logits, at the first token that differs."""
    place = next(i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    ids = torch.tensor([[*encoded.prompt.tolist(), *one[:place]]])
    with torch.no_grad():
        first, second = model(input_ids=ids).logits[0, -1].topk(2).values.tolist()
    return float(first - second)
